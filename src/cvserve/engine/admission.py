"""The admission queue: bounded, and shared out so that batches form by themselves.

A free worker takes its share of what waits, ⌈waiting / free workers⌉. There is no timer: an idle server
answers at once, a busy one batches because much waits when a worker comes back.
"""

from collections import deque
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from cvserve.errors import NotReady, Overloaded

# A batch is also bounded in bytes, so that 64 pictures of 20 MB do not become one.
MAX_BATCH_BYTES = 32 * 1024**2


class Waiting(Protocol):
    """What can wait in the queue."""

    @property
    def size_bytes(self) -> int:
        """Bytes that it holds while it waits."""

    @property
    def runs_alone(self) -> bool:
        """Whether it may share a batch with nobody."""

    def is_wanted(self) -> bool:
        """Whether somebody still waits for its answer."""


Job = TypeVar("Job", bound=Waiting)


class AdmissionQueue(Generic[Job]):
    """A queue for one thread, the event loop's.

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
        self._closed = False

    def put(self, jobs: Sequence[Job]) -> None:
        """Admit all of them or none.

        Raises:
            Overloaded: they do not fit beside what waits.
            NotReady: the queue was closed.
        """
        if self._closed:
            raise NotReady("The server is stopping; send the request again in a moment.")
        size_bytes = sum([job.size_bytes for job in jobs])
        if len(self._waiting) + len(jobs) > self._max_jobs or self._waiting_bytes + size_bytes > self._max_bytes:
            raise Overloaded(
                f"{len(self._waiting)} pictures wait already and no more fit; send the request again in a moment."
            )
        self._waiting.extend(jobs)
        self._waiting_bytes += size_bytes

    def put_back(self, jobs: Sequence[Job]) -> None:
        """Put jobs whose worker was lost before all others, in their order; they were admitted already."""
        self._waiting.extendleft(reversed(jobs))
        self._waiting_bytes += sum(job.size_bytes for job in jobs)

    def take(self, free_workers: int, limit: int | None = None) -> list[Job]:
        """Take the share of one of `free_workers` workers; jobs that nobody wants any more are dropped.

        Args:
            free_workers: workers that have nothing to do, this one included; at least 1.
            limit: a bound on the number of jobs beside `max_batch_size`; None: there is none.
        """
        share = min(-(-len(self._waiting) // free_workers), self._max_batch_size, limit or self._max_batch_size)
        batch: list[Job] = []
        size_bytes = 0
        while self._waiting and len(batch) < share:
            job = self._waiting[0]
            if batch and (job.runs_alone or size_bytes + job.size_bytes > MAX_BATCH_BYTES):
                break
            self._waiting.popleft()
            self._waiting_bytes -= job.size_bytes
            if not job.is_wanted():
                continue
            batch.append(job)
            size_bytes += job.size_bytes
            if job.runs_alone:
                break
        return batch

    def close(self) -> None:
        """Admit nothing more; what waits is still handed out."""
        self._closed = True

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def waiting_bytes(self) -> int:
        """Bytes that wait."""
        return self._waiting_bytes
