"""The admission queue: bounded, fair to its owners, and shared out so that batches form by themselves.

A free worker takes its share of what waits, ⌈waiting / free workers⌉. There is no timer: an idle server
answers at once, a busy one batches because much waits when a worker comes back.

Jobs wait by owner (the token that sent them). Owners are served in turn, a picture each (round robin), and each owner's
own jobs in the order in which they came. Who sends much waits for what they sent themselves, not everybody else.
"""

from collections import OrderedDict, deque
from collections.abc import Hashable, Sequence
from typing import Generic, Protocol, TypeVar

from cvserve.errors import NotReady, Overloaded

# A batch is also bounded in bytes, so that 64 pictures of 20 MB do not become one.
MAX_BATCH_BYTES = 32 * 1024**2


class Waiting(Protocol):
    """What can wait in the queue."""

    @property
    def owner(self) -> Hashable:
        """Whose it is: all jobs of equal owners share one place in the round."""

    @property
    def size_bytes(self) -> int:
        """Bytes that it holds while it waits."""

    @property
    def runs_alone(self) -> bool:
        """Whether it may share a batch with nobody."""

    def is_wanted(self) -> bool:
        """Whether somebody still waits for its answer."""


Job = TypeVar("Job", bound=Waiting)


class _Request(Generic[Job]):
    """Jobs that were admitted together.

    Attributes:
        jobs: those that still wait, the next one last.
        is_whole: whether no worker has had any of them.
        size_bytes: of those that still wait.
    """

    __slots__ = ("is_whole", "jobs", "size_bytes")

    def __init__(self, jobs: list[Job], size_bytes: int, *, is_whole: bool) -> None:
        self.jobs = jobs
        self.size_bytes = size_bytes
        self.is_whole = is_whole


class _Share(Generic[Job]):
    """What waits of one owner: its requests, oldest first, and how many jobs and bytes they are."""

    __slots__ = ("jobs", "requests", "size_bytes")

    def __init__(self) -> None:
        self.requests: deque[_Request[Job]] = deque()
        self.jobs = 0
        self.size_bytes = 0


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
        # Only owners of whom something waits, the one whose turn it is first.
        self._shares: OrderedDict[Hashable, _Share[Job]] = OrderedDict()
        self._jobs = 0
        self._waiting_bytes = 0
        self._closed = False

    def put(self, jobs: Sequence[Job]) -> list[Job]:
        """Admit all of them or none.

        In a full queue an owner that holds less than its share (what fits, divided by the owners that wait) is let in
        nevertheless: the newest requests of whoever holds most give way, each whole, and none that was begun.

        Args:
            jobs: of one owner.

        Returns:
            Jobs that gave way; they are in the queue no more, and their senders must be told.

        Raises:
            Overloaded: they do not fit beside what waits.
            NotReady: the queue was closed.
        """
        if self._closed:
            raise NotReady("The server is stopping; send the request again in a moment.")
        if not jobs:
            return []
        size_bytes = sum([job.size_bytes for job in jobs])
        gave_way: list[Job] = []
        if self._jobs + len(jobs) > self._max_jobs or self._waiting_bytes + size_bytes > self._max_bytes:
            gave_way = self._make_room(jobs[0].owner, len(jobs), size_bytes)
        share = self._find_share(jobs[0].owner)
        share.requests.append(_Request(list(jobs[::-1]), size_bytes, is_whole=True))
        self._count(share, len(jobs), size_bytes)
        return gave_way

    def put_back(self, jobs: Sequence[Job]) -> None:
        """Put jobs whose worker was lost before all others of their owners, in their order; they were admitted."""
        for job in reversed(jobs):
            share = self._find_share(job.owner)
            share.requests.appendleft(_Request([job], job.size_bytes, is_whole=False))
            self._count(share, 1, job.size_bytes)

    def take(self, free_workers: int, limit: int | None = None, quick: int | None = None) -> list[Job]:
        """Take the share of one of `free_workers` workers; jobs that nobody wants any more are dropped.

        Where several owners wait, each gives as many jobs as the one that has least: a picture that waits beside a
        thousand of somebody else shares its batch with one of those, and so waits for one and not for sixty.

        Args:
            free_workers: workers that have nothing to do, this one included; at least 1.
            limit: a bound on the number of jobs beside `max_batch_size`; None: there is none.
            quick: so many jobs are done so quickly that no owner need wait for smaller batches; None: nobody knows.
        """
        most = min(-(-self._jobs // free_workers), self._max_batch_size, limit or self._max_batch_size)
        if len(self._shares) > 1:
            least = min([share.jobs for share in self._shares.values()])
            most = min(most, max(least * len(self._shares), quick or 1))
        batch: list[Job] = []
        size_bytes = 0
        while self._shares and len(batch) < most:
            owner, share = next(iter(self._shares.items()))
            job = share.requests[0].jobs[-1]
            if batch and (job.runs_alone or size_bytes + job.size_bytes > MAX_BATCH_BYTES):
                break
            self._take_first(owner, share)
            if not job.is_wanted():
                continue
            if self._shares:
                self._end_turn(owner)
            batch.append(job)
            size_bytes += job.size_bytes
            if job.runs_alone:
                break
        return batch

    def close(self) -> None:
        """Admit nothing more; what waits is still handed out."""
        self._closed = True

    def __len__(self) -> int:
        return self._jobs

    @property
    def waiting_bytes(self) -> int:
        """Bytes that wait."""
        return self._waiting_bytes

    def _find_share(self, owner: Hashable) -> _Share[Job]:
        share = self._shares.get(owner)
        if share is None:
            share = self._shares[owner] = _Share()
        return share

    def _count(self, share: _Share[Job], jobs: int, size_bytes: int) -> None:
        share.jobs += jobs
        share.size_bytes += size_bytes
        self._jobs += jobs
        self._waiting_bytes += size_bytes

    def _take_first(self, owner: Hashable, share: _Share[Job]) -> None:
        """Take an owner's next job out of the queue."""
        request = share.requests[0]
        job = request.jobs.pop()
        request.is_whole = False
        request.size_bytes -= job.size_bytes
        if not request.jobs:
            share.requests.popleft()
            if not share.requests:
                del self._shares[owner]
        self._count(share, -1, -job.size_bytes)

    def _end_turn(self, owner: Hashable) -> None:
        if owner in self._shares:
            self._shares.move_to_end(owner)

    def _make_room(self, owner: Hashable, jobs: int, size_bytes: int) -> list[Job]:
        """Take out what must give way, so that so many jobs and bytes of an owner fit.

        Raises:
            Overloaded: the owner would hold more than its share, or nothing more may give way; all is as before.
        """
        refusal = Overloaded(f"{self._jobs} pictures wait already and no more fit; send the request again in a moment.")
        own = self._shares.get(owner) or _Share()
        owners = len(self._shares) + (owner not in self._shares)
        removed: list[tuple[_Share[Job], _Request[Job]]] = []
        while True:
            lacks_jobs = self._jobs + jobs > self._max_jobs
            if not lacks_jobs and self._waiting_bytes + size_bytes <= self._max_bytes:
                break
            fair = self._max_jobs // owners if lacks_jobs else self._max_bytes // owners
            wanted = own.jobs + jobs if lacks_jobs else own.size_bytes + size_bytes
            largest = self._find_largest(owner, "jobs" if lacks_jobs else "size_bytes", fair)
            if wanted > fair or largest is None:
                for share, request in reversed(removed):
                    share.requests.append(request)
                    self._count(share, len(request.jobs), request.size_bytes)
                raise refusal
            request = largest.requests.pop()
            self._count(largest, -len(request.jobs), -request.size_bytes)
            removed.append((largest, request))
        for other in [name for name, share in self._shares.items() if not share.requests]:
            del self._shares[other]
        return [job for _, request in removed for job in reversed(request.jobs)]

    def _find_largest(self, owner: Hashable, resource: str, fair: int) -> _Share[Job] | None:
        """Find who holds most of a resource, more than is fair, and has a request that no worker has begun."""
        others = [
            share
            for other, share in self._shares.items()
            if other != owner and share.requests and share.requests[-1].is_whole and getattr(share, resource) > fair
        ]
        return max(others, key=lambda share: int(getattr(share, resource)), default=None)
