"""What goes on beside the generators: the server from inside, by its `/metrics`, and the cores of this machine."""

import threading
import time
from dataclasses import dataclass
from pathlib import Path

from cvserve.errors import CannotStart
from cvserve.loadtest.client import Client

_EVERY_S = 1.0
_TIMEOUT_S = 5.0
_BUSY = "cvserve_worker_busy_seconds_total"
_QUEUE = "cvserve_queue_depth"
_WORKERS = "cvserve_workers"


@dataclass(frozen=True, slots=True)
class ServerLoad:
    """How much a server had to do over some time.

    Attributes:
        busy: share of its workers' time with a batch, 0 to 1.
        queue_depth: pictures that waited, on average.
        workers: that were wanted.
    """

    busy: float
    queue_depth: float
    workers: int


@dataclass(frozen=True, slots=True)
class _Reading:
    at: float
    busy_s: float
    queue_depth: float
    workers: float


class Watch:
    """Reads the server's metrics and the use of this machine's cores once a second, on a thread of its own.

    Use it as a context manager: it reads from the beginning of the block to its end.

    Args:
        client: for the server; None when the token does not open its metrics.
    """

    def __init__(self, client: Client | None) -> None:
        self._client = client
        self._readings: list[_Reading] = []
        self._cores: list[tuple[float, int, int]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(2 * _TIMEOUT_S)

    def measure_server(self, begin: float, end: float) -> ServerLoad | None:
        """The server's load between two moments of `time.monotonic`; None when fewer than two readings lie there."""
        near = [reading for reading in self._readings if _is_near(reading.at, begin, end)]
        if len(near) < 2 or near[-1].workers <= 0:
            return None
        first, last = near[0], near[-1]
        busy = (last.busy_s - first.busy_s) / (last.at - first.at) / last.workers
        depth = sum(reading.queue_depth for reading in near) / len(near)
        return ServerLoad(min(1.0, max(0.0, busy)), depth, int(last.workers))

    def measure_machine(self, begin: float, end: float) -> float | None:
        """Share of the time in which this machine's cores worked, for any process, 0 to 1; None if it was not read."""
        near = [(idle, total) for at, idle, total in self._cores if _is_near(at, begin, end)]
        if len(near) < 2 or near[-1][1] == near[0][1]:
            return None
        return 1 - (near[-1][0] - near[0][0]) / (near[-1][1] - near[0][1])

    def _run(self) -> None:
        while not self._over.is_set():
            cores = _read_cores()
            if cores is not None:
                self._cores.append((time.monotonic(), *cores))
            reading = None if self._client is None else self._read(self._client)
            if reading is not None:
                self._readings.append(reading)
            self._over.wait(_EVERY_S)

    def _read(self, client: Client) -> _Reading | None:
        try:
            answer = client.ask("GET", "/metrics")
        except CannotStart:
            return None
        if answer.status != 200:
            return None
        values: dict[str, float] = {}
        for line in answer.body.decode("utf-8", "replace").splitlines():
            name, _, value = line.rpartition(" ")
            if line.startswith((_BUSY, _QUEUE)):
                values[name.partition("{")[0]] = float(value)
            elif line.startswith(_WORKERS + "{") and 'state="wanted"' in name:
                values[_WORKERS] = float(value)
        return _Reading(time.monotonic(), values.get(_BUSY, 0.0), values.get(_QUEUE, 0.0), values.get(_WORKERS, 0.0))


def _is_near(at: float, begin: float, end: float) -> bool:
    return begin - _EVERY_S / 2 <= at <= end + _EVERY_S / 2


def _read_cores() -> tuple[int, int] | None:
    """Idle time and all time of all cores since the start, in the kernel's ticks; None elsewhere than on Linux."""
    try:
        line = Path("/proc/stat").read_text(encoding="ascii").partition("\n")[0]
    except OSError:
        return None
    ticks = [int(word) for word in line.split()[1:9]]
    return ticks[3] + ticks[4], sum(ticks)
