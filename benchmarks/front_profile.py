"""What `POST /predict` costs without decoding and inference: the whole server with an engine that answers at once.

Prints a row for each number of connections, and with `--profile` where a request's time goes. Needs Linux and wrk:

    python benchmarks/front_profile.py --profile

The server runs on one core and wrk on another. Token, SQLite and `output.log` are the real ones. "CPU" is what the
server's process has used, kernel included; it wanders less between runs than the requests a second do.
"""

import argparse
import asyncio
import collections
import contextlib
import http.client
import json
import multiprocessing
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from cvserve import Predictor
from cvserve.engine.garbage_collector import tune
from cvserve.engine.task import Task
from cvserve.engine.thread_pool import ThreadPool
from cvserve.logs.events import configure_events
from cvserve.predictor.prediction import Prediction
from cvserve.server.resources import open_resources
from cvserve.server.run import bind, make_server
from cvserve.server.service import PredictionService
from cvserve.settings import Settings
from cvserve.store.database import prepare_database
from cvserve.store.tokens import SCOPES, TokenStore

PICTURE = b"\xff\xd8\xff" + os.urandom(20_000)
DISPOSITION = b'Content-Disposition: form-data; name="file"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
BODY = b"--b0undary\r\n" + DISPOSITION + PICTURE + b"\r\n--b0undary--\r\n"
LUA = """local f = assert(io.open("{body}", "rb")); wrk.body = f:read("*a"); f:close(); wrk.method = "POST"
wrk.headers["Authorization"] = "Bearer {token}"
wrk.headers["Content-Type"] = "multipart/form-data; boundary=b0undary"
"""
PICTURES = Path(__file__).parent.parent / "tests" / "data" / "digits"
SAMPLE_INTERVAL_S = 0.002


class ReadyEngine:
    """Stands in for an engine: every picture has the same answer, and it is there already."""

    is_ready, live_workers, wanted_workers, waiting, max_queue = True, 1, 1, 0, 1024

    def __init__(self, answer: Prediction) -> None:
        self.info = answer.model
        self._answer = answer.with_queue_ms(0.05)

    async def start(self) -> None:
        """Nothing to do."""
        self._loop = asyncio.get_running_loop()

    async def close(self) -> None:
        """Nothing to do."""

    def kill(self) -> None:
        """Nothing to do."""

    def check_room(self, owner: object = None) -> None:
        """There is always room."""

    def submit(
        self, tasks: Sequence[Task], has_left: Callable[[], bool] | None = None, owner: object = None
    ) -> list["asyncio.Future[Prediction]"]:
        """One answer for each."""
        futures = [self._loop.create_future() for _ in tasks]
        for future in futures:
            future.set_result(self._answer)
        return futures


class Sampler:
    """Counts CPU time by the file of ours or of uvicorn that a thread was in, or that called what it was in."""

    def __init__(self) -> None:
        self.used_s: collections.defaultdict[str, float] = collections.defaultdict(float)
        self._seen_s = time.thread_time(), time.process_time()
        signal.signal(signal.SIGPROF, self._look)
        signal.setitimer(signal.ITIMER_PROF, SAMPLE_INTERVAL_S, SAMPLE_INTERVAL_S)

    def _look(self, _: int, frame: FrameType | None) -> None:
        # A signal that came while C code ran is handled where Python goes on: at the beginning of what C calls next.
        if frame is not None and frame.f_lineno == frame.f_code.co_firstlineno:
            frame = frame.f_back
        now_s = time.thread_time(), time.process_time()
        (loop_s, process_s), self._seen_s = (now - seen for now, seen in zip(now_s, self._seen_s, strict=True)), now_s
        self.used_s[self._step(frame)] += loop_s
        self.used_s["writer's thread"] += process_s - loop_s

    @staticmethod
    def _step(frame: FrameType | None) -> str:
        while frame is not None:
            if found := re.search(r"/(cvserve/(?!logs/file)\S+|uvicorn/protocols\S+)$", frame.f_code.co_filename):
                return found[1]
            frame = frame.f_back
        return "event loop and sockets"


def serve(home: Path, listener: socket.socket, core: int, profile: Path | None) -> None:
    """Run the server until it is stopped."""
    os.sched_setaffinity(0, {core})
    configure_events()
    predictor = Predictor.load()
    resources = open_resources(Settings(home=home), ThreadPool(predictor))
    engine: Any = ReadyEngine(predictor.predict(next(PICTURES.rglob("*.jpg"))))
    resources.engine, resources.service = (
        engine,
        PredictionService(engine, resources.recorder, resources.metrics, resources.mask),
    )
    tune()
    sampler = Sampler() if profile else None
    make_server(resources).run(sockets=[listener])
    if sampler and profile:
        profile.write_text(json.dumps(sampler.used_s), encoding="utf-8")


def wait_for(port: int, token: str) -> None:
    """Return when the server answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/readyz", headers={"Authorization": f"Bearer {token}"})
    assert connection.getresponse().status == 200
    connection.close()


def measure(pid: int, command: Sequence[str]) -> tuple[float, float, str, str]:
    """Requests a second, CPU µs a request, p50 and p99 of one run of wrk."""
    before = cpu_s(pid)
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    used_s = cpu_s(pid) - before
    assert "Non-2xx" not in out, out
    requests = int(re.search(r"(\d+) requests in", out)[1])  # type: ignore[index]
    p50, p99 = (re.search(rf"\n +{share}% +(\S+)", out)[1] for share in (50, 99))  # type: ignore[index]
    return float(re.search(r"Requests/sec:\s+(\S+)", out)[1]), used_s / requests * 1e6, p50, p99  # type: ignore[index]


def cpu_s(pid: int) -> float:
    """What the process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def running(profile: Path | None = None) -> Iterator[tuple[int, list[str]]]:
    """A server of its own: its process, and the command of wrk but for the load."""
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(bind("127.0.0.1", 0)) as listener:
        home, port = Path(folder), listener.getsockname()[1]
        prepare_database(home / "cvserve.db")
        with TokenStore(home / "cvserve.db") as store:
            token = store.create("front", SCOPES)[0]
        (home / "body").write_bytes(BODY)
        (home / "wrk.lua").write_text(LUA.format(body=home / "body", token=token), encoding="ascii")
        arguments = (home, listener, cores[0], profile)
        server = multiprocessing.get_context("fork").Process(target=serve, args=arguments)
        server.start()
        wait_for(port, token)
        wrk = ["taskset", "-c", str(cores[-1]), "wrk", "-t1", "--latency", "-s", str(home / "wrk.lua")]
        try:
            yield server.pid or 0, [*wrk, f"http://127.0.0.1:{port}/predict"]
        finally:
            server.terminate()
            server.join()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--connections", type=int, nargs="*", default=[64, 1])
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    duration = f"-d{options.seconds}s"
    write("| connections | requests a second | CPU µs a request | p50 | p99 |\n|--:|--:|--:|--:|--:|")
    with running() as (pid, wrk):
        measure(pid, [*wrk, "-c64", "-d1s"])  # warm
        for connections in options.connections:
            rps, cpu_us, p50, p99 = measure(pid, [*wrk, f"-c{connections}", duration])
            write(f"| {connections} | {rps:,.0f} | {cpu_us:.0f} | {p50} | {p99} |")
    for connections in options.connections if options.profile else ():
        with tempfile.NamedTemporaryFile("r") as file:
            with running(Path(file.name)) as (pid, wrk):
                cpu_us = measure(pid, [*wrk, f"-c{connections}", duration])[1]
            used_s = json.load(file)
        write(f"\n| step, {connections} connections | CPU µs |\n|---|--:|")
        for step in sorted(used_s, key=used_s.__getitem__, reverse=True):
            write(f"| {step} | {used_s[step] / sum(used_s.values()) * cpu_us:.1f} |")


def write(line: str) -> None:
    """Print a row."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
