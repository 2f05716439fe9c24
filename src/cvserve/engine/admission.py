"""The admission queue: bounded, and shared out so that batches form by themselves.

A free worker takes its share of what waits, ⌈waiting / free workers⌉. There is no timer: an idle server
answers at once, a busy one batches because much waits when a worker comes back.
"""

import threading
from collections import deque
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from cvserve.errors import NotReady, Overloaded

# A batch is also bounded in bytes, so that 64 pictures of 20 MB do not become one.
MAX_BATCH_BYTES = 32 * 1024**2


class Sized(Protocol):
    """What can wait in the queue."""

    @property
    def size_bytes(self) -> int:
        """Bytes that it holds while it waits."""

    @property
    def is_cancelled(self) -> bool:
        """Whether nobody waits for its answer any more."""


Job = TypeVar("Job", bound=Sized)


class AdmissionQueue(Generic[Job]):
    """A queue for any number of threads on both sides.

    Args:
        max_jobs: jobs that may wait.
        max_bytes: bytes that may wait.
        max_batch_size: jobs that one `take` gives at most.
    """

    def __init__(self, max_jobs: int, max_bytes: int, max_batch_size: int) -> None:
        self._max_jobs = max_jobs
        self._max_bytes = max_bytes
        self._max_batch_size = max_batch_size
        self._waiting: deque[Job] = deque()
        self._waiting_bytes = 0
        self._free_workers = 0
        self._closed = False
        self._changed = threading.Condition()

    def put(self, jobs: Sequence[Job]) -> None:
        """Admit all of them or none.

        Raises:
            Overloaded: they do not fit beside what waits.
            NotReady: the queue was closed.
        """
        size_bytes = sum(job.size_bytes for job in jobs)
        with self._changed:
            if self._closed:
                raise NotReady("The server is stopping; send the request again in a moment.")
            if len(self._waiting) + len(jobs) > self._max_jobs or self._waiting_bytes + size_bytes > self._max_bytes:
                raise Overloaded(
                    f"{len(self._waiting)} pictures wait already and no more fit; send the request again in a moment."
                )
            self._waiting.extend(jobs)
            self._waiting_bytes += size_bytes
            self._changed.notify()

    def take(self) -> list[Job]:
        """Wait for work and take a worker's share of it; empty when the queue was closed and is drained."""
        with self._changed:
            self._free_workers += 1
            try:
                while True:
                    while not self._waiting and not self._closed:
                        self._changed.wait()
                    batch = self._share()
                    if self._waiting:
                        self._changed.notify()  # the rest is for the other free workers
                    if batch or (self._closed and not self._waiting):
                        return batch
            finally:
                self._free_workers -= 1

    def close(self) -> None:
        """Admit nothing more; workers take what waits and then hear the end."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def free_workers(self) -> int:
        """Workers that wait for something to do."""
        return self._free_workers

    def _share(self) -> list[Job]:
        share = min(-(-len(self._waiting) // max(1, self._free_workers)), self._max_batch_size)
        batch: list[Job] = []
        size_bytes = 0
        while self._waiting and len(batch) < share:
            job = self._waiting[0]
            if batch and size_bytes + job.size_bytes > MAX_BATCH_BYTES:
                break
            self._waiting.popleft()
            self._waiting_bytes -= job.size_bytes
            if job.is_cancelled:
                continue
            batch.append(job)
            size_bytes += job.size_bytes
        return batch
