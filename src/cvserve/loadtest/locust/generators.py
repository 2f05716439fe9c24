"""The Locust processes seen from here: started, told what to do, and heard."""

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from cvserve.errors import CannotStart
from cvserve.loadtest.samples import Tick

_MODULE = "cvserve.loadtest.locust.generator_main"
_START_S = 60
_END_S = 30
_FIRST_DUE_S = 0.05
_SECRETS = ("CVSERVE_TOKEN", "CVSERVE_TOKEN_FILE")


class Order(NamedTuple):
    """What the processes do.

    Attributes:
        locustfile: its text.
        host: URL of the server.
        token: for every request; None: none.
        csv: prefix of Locust's CSV files; None: no files.
        stop_timeout_s: how long users may finish what they do.
        processes: how many.
    """

    locustfile: str
    host: str
    token: str | None
    csv: Path | None
    stop_timeout_s: float
    processes: int


class Generators:
    """Locust processes, each with a share of the users; they end when this process ends, by whatever."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._said: queue.SimpleQueue[tuple[int, dict[str, Any] | None]] = queue.SimpleQueue()
        self._telling = threading.Lock()  # readers pass on what is to be merged
        self._stack = contextlib.ExitStack()
        self._processes: list[subprocess.Popen[bytes]] = []
        self._readers: list[threading.Thread] = []

    def __enter__(self) -> Self:
        """Start them and wait until they can be told something.

        Raises:
            CannotStart: one of them ended.
        """
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="cvserve-loadtest-")))
        self._errors = self._stack.enter_context((folder / "errors.txt").open("w+b"))
        path = folder / "locustfile.py"
        path.write_text(self._order.locustfile, encoding="utf-8")
        try:
            for index in range(self._order.processes):
                self._start(index, path)
            waiting = set(range(self._order.processes))
            while waiting:
                index, said = self._next(_START_S)
                if said is not None and "ready" in said:
                    waiting.discard(index)
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def pids(self) -> list[int]:
        """Of the processes."""
        return [process.pid for process in self._processes]

    def users(self, count: int, spawn_rate: float) -> None:
        """So many users from now on, spread over the processes; as many more or fewer a second at most."""
        number = len(self._processes)
        for index in range(number):
            share = count // number + (index < count % number)
            rate = max(spawn_rate * share / max(count, 1), 1.0)
            self._tell(index, {"users": share, "spawn_rate": rate, "others": count - share if index == 0 else 0})

    def open_load(self, rate: float) -> None:
        """So many requests are due a second from now on, evenly spaced over all processes; 0: none."""
        number = len(self._processes)
        begin = time.perf_counter() + _FIRST_DUE_S
        for index in range(number):
            first = begin + index / rate if rate else None
            self._tell(index, {"rate": rate / number, "first": first})

    def closed_load(self) -> None:
        """Each user sends when its last answer is there, from now on."""
        for index in range(len(self._processes)):
            self._tell(index, {"closed": True})

    def tick(self) -> Tick:
        """The next that one of them says.

        Raises:
            CannotStart: one of them ended.
        """
        while True:
            index, said = self._next(_START_S)
            if said is not None and "end" in said:
                return Tick.read(index, said)

    def finish(self) -> list[Tick]:
        """Stop the users and write the CSVs; what was still said. Without one that is gone or hangs."""
        ticks: list[Tick] = []
        done: set[int] = set()
        for index in range(len(self._processes)):
            with contextlib.suppress(OSError):
                self._tell(index, {"finish": True})
        with contextlib.suppress(CannotStart):
            while len(done) < len(self._processes):
                index, said = self._next(_END_S + self._order.stop_timeout_s)
                if said is not None and "end" in said:
                    ticks.append(Tick.read(index, said))
                if said is not None and "done" in said:
                    done.add(index)
        for process in self._processes:
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                assert process.stdin
                process.stdin.close()
                process.wait(_END_S)
        return ticks

    def kill(self) -> None:
        """End what still runs. May be called twice."""
        for process in self._processes:
            process.kill()
            process.wait()
        for reader in self._readers:
            reader.join()
        for process in self._processes:
            for stream in (process.stdin, process.stdout):
                with contextlib.suppress(OSError):
                    assert stream
                    stream.close()
        self._stack.close()

    def _start(self, index: int, path: Path) -> None:
        environment = {name: value for name, value in os.environ.items() if name not in _SECRETS}
        environment["PYTHONPATH"] = os.pathsep.join(part or str(Path.cwd()) for part in sys.path)
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-P", "-m", _MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment,
            start_new_session=True,  # Ctrl-C is for this process, which tells them what to do
        )
        self._processes.append(process)
        reader = threading.Thread(target=self._read, args=(index, process), daemon=True)
        reader.start()
        self._readers.append(reader)
        order = self._order
        self._tell(
            index,
            {
                "index": index,
                "locustfile": str(path),
                "host": order.host,
                "token": order.token,
                "csv": str(order.csv) if order.csv and index == 0 else None,
                "stop_timeout_s": order.stop_timeout_s,
            },
        )

    def _read(self, index: int, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdout
        for line in process.stdout:
            said = json.loads(line)
            if "stats" in said and index:
                with contextlib.suppress(OSError, ValueError):
                    self._tell(0, {"merge": said["stats"], "index": index})
            self._said.put((index, said))
        self._said.put((index, None))

    def _next(self, timeout_s: float) -> tuple[int, dict[str, Any] | None]:
        try:
            index, said = self._said.get(timeout=timeout_s)
        except queue.Empty:
            raise CannotStart(f"The load generator said nothing for {timeout_s} s; run it again.") from None
        if said is None:
            raise CannotStart(f"The load generator ended: {self._last_words()}")
        return index, said

    def _last_words(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing."

    def _tell(self, index: int, what: dict[str, Any]) -> None:
        stdin = self._processes[index].stdin
        assert stdin
        with self._telling:
            stdin.write(json.dumps(what).encode("ascii") + b"\n")
            stdin.flush()
