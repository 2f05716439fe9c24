"""What one token that asks for far too much leaves to another: latency and success of a victim, alone and beside a hog.

    python benchmarks/promises/fairness.py [--source SRC] [--seconds 10] [--only slow-flood]     JSON on stdout

The victim sends 20 pictures a second by an open loop: each has its time, however late the answers before it are, and
its latency counts from that time. The hog is `wrk` with a token of its own, which sends again as soon as it was
answered: on 200 connections all of its requests wait in the queue; on 1,500 (more than `max_queue`) the rest is refused
and comes again at once, many times what the server can do.

The promise: at least 95 % success, and p99 at most twice its value alone plus one batch (64 pictures on one of two
workers at the pace that the hog gets).

`--source` is the `src` of another checkout, for a comparison on the same machine.
"""

import argparse
import asyncio
import contextlib
import json
import math
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from cvserve import samples

PICTURE = Path(next(iter(samples.__path__))) / "digit-4-print.jpg"
RATE = 20.0
WORKERS, MAX_BATCH = 2, 64
SLOW_MODEL = """
import time
import numpy as np

class Slow:
    labels = ("a", "b")
    scores = "probabilities"

    def preprocess(self, image):
        return np.zeros(1)

    def infer(self, batch):
        time.sleep(0.002 + 0.010 * len(batch))
        return np.full((len(batch), 2), 0.5)
"""
WRK = """
local file = assert(io.open("{picture}", "rb"))
local head = {{["Authorization"] = "Bearer {token}", ["Content-Type"] = "image/jpeg"}}
local ready
function init(args) ready = wrk.format("POST", nil, head, file:read("*a")) end
function request() return ready end
"""


class Case(NamedTuple):
    """A model, and how the hog asks it."""

    model: str
    connections: int


CASES = {
    "toy-200": Case("builtin", 200),
    "toy-flood": Case("builtin", 1_500),
    "slow-200": Case("slow.py:Slow", 200),
    "slow-flood": Case("slow.py:Slow", 1_500),
}


class Server:
    """`cvserve serve` in a folder of its own, with a token for the hog and one for the victim."""

    def __init__(self, home: Path, model: str, source: Path | None) -> None:
        self.home = home
        self._environ = {**os.environ, "XDG_CACHE_HOME": str(home), "XDG_CONFIG_HOME": str(home)}
        if source is not None:
            self._environ["PYTHONPATH"] = str(source)
        (home / "slow.py").write_text(SLOW_MODEL)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.hog, self.victim = (self._make_token(name) for name in ("hog", "victim"))
        command = ["serve", "--port", str(self.port), "--workers", str(WORKERS), "--model", model, "--public-health"]
        self._process = subprocess.Popen(self._command(*command), cwd=home, env=self._environ, stderr=subprocess.PIPE)
        while not self._is_ready():
            if self._process.poll() is not None:
                raise SystemExit(self._process.communicate()[1].decode())
            time.sleep(0.1)

    def stop(self) -> None:
        """End it and wait."""
        self._process.terminate()
        self._process.communicate()

    def _command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "cvserve", *words]

    def _make_token(self, name: str) -> str:
        made = subprocess.run(
            self._command("token", "new", name), cwd=self.home, env=self._environ, capture_output=True, check=True
        )
        return str(re.findall(rb"cvs_\w+", made.stdout + made.stderr)[0], "ascii")

    def _is_ready(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as connection:
            connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return connection.recv(64).startswith(b"HTTP/1.1 200")
        return False


class Victim:
    """An open loop on kept connections; a new one where all are busy."""

    def __init__(self, server: Server) -> None:
        self._port = server.port
        body = PICTURE.read_bytes()
        head = f"POST /predict HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {server.victim}\r\n"
        self._request = f"{head}Content-Type: image/jpeg\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def ask(self, seconds: float) -> dict[str, Any]:
        """Latencies and statuses of as many seconds."""
        begin = time.perf_counter()
        tasks = []
        for number in range(int(seconds * RATE)):
            due = begin + number / RATE
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            tasks.append(asyncio.create_task(self._ask_one(due)))
        answers = await asyncio.gather(*tasks)
        good = sorted(latency_ms for status, latency_ms in answers if status == 200)
        statuses = [status for status, _ in answers]
        return {
            "requests": len(answers),
            "success": round(len(good) / len(answers), 4),
            "statuses": {str(status): statuses.count(status) for status in sorted(set(statuses))},
            "p50_ms": round(statistics.median(good), 1) if good else None,
            "p99_ms": round(good[int(len(good) * 0.99)], 1) if good else None,
        }

    async def _ask_one(self, due: float) -> tuple[int, float]:
        is_kept = bool(self._idle)
        try:
            async with asyncio.timeout(30):
                reader, writer = self._idle.pop() if is_kept else await asyncio.open_connection("127.0.0.1", self._port)
                writer.write(self._request)
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = re.search(rb"content-length: (\d+)", head)
                await reader.readexactly(int(length[1]) if length else 0)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            return await self._ask_one(due) if is_kept else (0, 0.0)  # a server may close what was idle for long
        if b"connection: close" in head:
            writer.close()
        else:
            self._idle.append((reader, writer))
        return int(head[9:12]), (time.perf_counter() - due) * 1000


@contextlib.contextmanager
def hog(server: Server, connections: int, seconds: float, found: dict[str, Any]) -> Iterator[None]:
    """A hog while the block runs; what it was answered is written into `found`."""
    script = server.home / "hog.lua"
    script.write_text(WRK.format(picture=PICTURE, token=server.hog))
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds + 4:.0f}s", "--timeout", "60s", "-s", str(script)]
    process = subprocess.Popen([*command, f"http://127.0.0.1:{server.port}/predict"], stdout=subprocess.PIPE, text=True)
    try:
        time.sleep(2)
        yield
        said = process.communicate()[0]
    finally:
        process.kill()
    requests, took_s = re.findall(r"(\d+) requests in ([\d.]+)s", said)[0]
    refused = re.findall(r"Non-2xx or 3xx responses: (\d+)", said)
    bad = int(refused[0]) if refused else 0
    found |= {"good_a_second": round((int(requests) - bad) / float(took_s)), "refused": bad}


def measure(name: str, seconds: float, source: Path | None) -> dict[str, Any]:
    """One case on a server of its own."""
    case = CASES[name]
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder), case.model, source)
        try:
            asyncio.run(Victim(server).ask(2))
            alone = asyncio.run(Victim(server).ask(seconds))
            of_hog: dict[str, Any] = {}
            with hog(server, case.connections, seconds, of_hog):
                beside = asyncio.run(Victim(server).ask(seconds))
        finally:
            server.stop()
    batch_ms = round(WORKERS * MAX_BATCH / max(1, of_hog["good_a_second"]) * 1000)
    bound_ms = 2 * (alone["p99_ms"] or 0.0) + batch_ms
    holds = beside["success"] >= 0.95 and (beside["p99_ms"] or math.inf) <= bound_ms
    promise = {"batch_ms": batch_ms, "bound_ms": round(bound_ms, 1), "holds": holds}
    return {"alone": alone, "beside": beside, "hog": {"connections": case.connections, **of_hog}, "promise": promise}


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--only", default=",".join(CASES))
    options = parser.parse_args()
    found = {name: measure(name, options.seconds, options.source) for name in options.only.split(",")}
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
