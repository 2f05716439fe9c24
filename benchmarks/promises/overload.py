"""Promise 14: with more callers than it can serve the server goes on serving, and says no at once to the rest."""

import contextlib
import io
import random
import threading
import time

import load
from PIL import Image

from promises.harness import TOKEN, Client, Outcome, Promise, Target, main, memory_mib, percentile, served

PROMISE = Promise(
    14,
    "3,000 connections at once leave at least 90 % of the capacity; refusals and /livez take at most 100 ms (p99); "
    "the front's memory stays within max_queue_bytes + 50 MB and comes back.",
    "wrk with 64 and then with 3,000 connections on a core of its own, pictures of 50 kB; new connections beside it",
)
_CONNECTIONS, _QUEUE_MIB = 3_000, 256


def measure(target: Target) -> Outcome:
    """Capacity first, then the overload, then whether all is well again."""
    folder = target.folder / "pictures"
    folder.mkdir()
    (folder / "one.jpg").write_bytes(make_picture())
    seconds = target.count(25, 4)
    with served(target, "--workers", "1", before=("taskset", "-c", "0")) as server:
        url = f"{server.url}/predict"
        load.run(url, 64, 3, folder, TOKEN, token_field=False, pinned=True)
        capacity = load.run(url, 64, max(4, seconds // 2), folder, TOKEN, token_field=False, pinned=True)
        base_mib = memory_mib(server.process.pid)
        probes = Probes(server.url, (folder / "one.jpg").read_bytes(), server.process.pid)
        over = load.run(url, _CONNECTIONS, seconds, folder, TOKEN, token_field=False, pinned=True)
        probes.stop()
        after_mib = wait_for_memory(server.process.pid, base_mib + 30)
    goodput = over.good / (over.good + over.refused) * over.rate / capacity.rate if over.good else 0.0
    live, refusals = percentile(probes.live_ms, 0.99), percentile(probes.refused_ms, 0.99)
    figures = {"capacity, 1/s": round(capacity.rate), "goodput of it": f"{goodput:.0%}", "p99 of /livez, ms": live}
    figures |= {"p99 of a 503, ms": refusals, "503s": len(probes.refused_ms), "probes lost": probes.lost}
    figures |= {"memory, MiB: before, highest, after": [base_mib, probes.peak_mib, after_mib]}
    holds = goodput >= 0.9 and live <= 100 and refusals <= 100 and not probes.lost
    return Outcome(figures, holds and probes.peak_mib <= base_mib + _QUEUE_MIB + 50 and after_mib <= base_mib + 30)


class Probes:
    """New connections that ask `/livez` and for a prediction, ten times a second; and the front's memory."""

    def __init__(self, url: str, picture: bytes, pid: int) -> None:
        self._url, self._picture, self._pid = url, picture, pid
        self.live_ms: list[float] = []
        self.refused_ms: list[float] = []
        self.lost, self.peak_mib = 0, 0.0
        self._end = threading.Event()
        self._threads = [threading.Thread(target=run) for run in (self._ask_livez, self._ask_predict, self._weigh)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Wait for the last ones."""
        self._end.set()
        for thread in self._threads:
            thread.join(60)

    def _ask_livez(self) -> None:
        while not self._end.wait(0.1):
            took = self._ask("GET", "/livez", None)
            if took:
                self.live_ms.append(took[1])

    def _weigh(self) -> None:
        while not self._end.wait(0.1):
            self.peak_mib = max(self.peak_mib, memory_mib(self._pid))

    def _ask_predict(self) -> None:
        while not self._end.wait(0.1):
            took = self._ask("POST", "/predict", self._picture)
            if took and took[0] == 503:
                self.refused_ms.append(took[1])

    def _ask(self, method: str, path: str, body: bytes | None) -> tuple[int, float] | None:
        begin = time.perf_counter()
        client = Client(self._url)
        try:
            status = client.ask(method, path, body)[0]
        except OSError:
            self.lost += 1
            return None
        finally:
            with contextlib.suppress(OSError):
                client.close()
        return status, (time.perf_counter() - begin) * 1000


def make_picture() -> bytes:
    """A JPEG of about 50 kB."""
    random.seed(1)
    noise = Image.frombytes("RGB", (150, 150), random.randbytes(150 * 150 * 3)).resize((300, 300))
    file = io.BytesIO()
    noise.save(file, "JPEG", quality=90)
    return file.getvalue()


def wait_for_memory(pid: int, limit_mib: float) -> float:
    """The memory when it is below the limit, or after 15 s."""
    pause, end = threading.Event(), time.monotonic() + 15
    while memory_mib(pid) > limit_mib and time.monotonic() < end:
        pause.wait(0.2)
    return memory_mib(pid)


if __name__ == "__main__":
    main(PROMISE, measure)
