"""The server seen from inside while it is under load: its queue and its workers, from its `/metrics`."""

import threading
import time
from dataclasses import dataclass

from cvserve.errors import CannotStart
from cvserve.loadtest.client import Client

_EVERY_S = 1.0
_TIMEOUT_S = 5.0
_BUSY = "cvserve_worker_busy_seconds_total"
_QUEUE = "cvserve_queue_depth"
_WORKERS = "cvserve_workers"


@dataclass(frozen=True, slots=True)
class ServerLoad:
    """A server over some time.

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
    """Reads the metrics once a second on a thread of its own.

    Args:
        client: for the server; None: nothing can be seen.
    """

    def __init__(self, client: Client | None) -> None:
        self._client = client
        self._readings: list[_Reading] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Watch":
        if self._client is not None:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(2 * _TIMEOUT_S)

    def between(self, begin: float, end: float) -> ServerLoad | None:
        """The load in between, by `time.monotonic`; None when it was not seen."""
        near = [reading for reading in self._readings if begin - _EVERY_S / 2 <= reading.at <= end + _EVERY_S / 2]
        if len(near) < 2 or near[-1].workers <= 0:
            return None
        first, last = near[0], near[-1]
        busy = (last.busy_s - first.busy_s) / (last.at - first.at) / last.workers
        depth = sum(reading.queue_depth for reading in near) / len(near)
        return ServerLoad(min(1.0, max(0.0, busy)), depth, int(last.workers))

    def _run(self) -> None:
        while not self._over.is_set():
            reading = self._read()
            if reading is not None:
                self._readings.append(reading)
            self._over.wait(_EVERY_S)

    def _read(self) -> _Reading | None:
        assert self._client is not None
        try:
            answer = self._client.ask("GET", "/metrics")
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
