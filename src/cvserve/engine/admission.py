"""The admission queue: bounded, fair to its owners, and shared out so that batches form by themselves.

A free worker takes its share of what waits, ⌈waiting / free workers⌉. There is no timer: an idle server
answers at once, a busy one batches because much waits when a worker comes back.

Jobs wait by owner (the token that sent them). Owners are served in turn, a picture each (round robin), and each owner's
own jobs in the order in which they came. Who sends much waits for what they sent themselves, not everybody else. A
batch is the unit in which others wait, so its size is shared as well.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Generic

from cvserve.engine.share import Job, Request, Share
from cvserve.errors import NotReady, Overloaded

# A batch is also bounded in bytes, so that 64 pictures of 20 MB do not become one.
MAX_BATCH_BYTES = 32 * 1024**2
# An owner is active from its last job on for this time, or up to twice as long: two sets of owners are kept, and the
# older one is thrown away once in this time. That is cheaper than a time for each.
_ACTIVE_S = 1.0
# The three numbers below bound what a picture of one owner waits for behind a batch of another: large batches are
# quicker in all, small ones are over sooner. They were found by trying, with benchmarks/promises/fairness.py, for its
# promise: p99 of the small owner at most twice that without the large one, plus one batch.
#
# Only one owner has jobs now, but others are active and may come while the batch runs: it has at most a quarter of
# max_batch_size (16 of 64, with which models that gain by batches still do), or as many as a worker does in a tenth of
# a second, if that is more.
_PART = 4
_BRIEF_S = 0.1
# Several owners have jobs: their batch is as small as the smallest of them asks for, but not smaller than what a worker
# does in 5 ms, about as long as a whole request takes when nobody else asks. Nobody would notice the difference.
_QUICK_S = 0.005


class AdmissionQueue(Generic[Job]):
    """A queue for one thread, the event loop's.

    It counts jobs. Their bytes have been counted since they arrived, by whoever received them.

    Args:
        max_jobs: jobs that may wait.
        max_batch_size: jobs that one `take` gives at most.
        clock: gives seconds that never go back.
    """

    def __init__(self, max_jobs: int, max_batch_size: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_jobs = max_jobs
        self._max_batch_size = max_batch_size
        # Only owners of whom something waits, the one whose turn it is first.
        self._shares: OrderedDict[Hashable, Share[Job]] = OrderedDict()
        self._jobs = 0
        self._closed = False
        self._clock = clock
        self._active: set[Hashable] = set()
        self._active_before: set[Hashable] = set()
        self._active_since = -_ACTIVE_S

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
        owner = jobs[0].owner
        gave_way = self._make_room(owner, len(jobs)) if self._jobs + len(jobs) > self._max_jobs else []
        share = self._find_share(owner)
        share.requests.append(Request(list(jobs[::-1]), is_whole=True))
        self._count(share, len(jobs))
        self._active.add(owner)
        return gave_way

    def check_room(self, owner: Hashable) -> None:
        """Find out whether one more job of this owner would be refused.

        Raises:
            Overloaded: the queue is full, and this owner has its share of it.
        """
        if self._jobs >= self._max_jobs:
            own = self._shares.get(owner)
            if own is not None and own.jobs >= self._max_jobs // len(self._shares):
                raise self._make_error()

    def put_back(self, jobs: Sequence[Job]) -> None:
        """Put jobs whose worker was lost before all others of their owners, in their order; they were admitted."""
        for job in reversed(jobs):
            share = self._find_share(job.owner)
            share.requests.appendleft(Request([job], is_whole=False))
            self._count(share, 1)

    def take(
        self, free_workers: int, limit: int | None = None, picture_s: float = math.inf, *, heavy: bool = True
    ) -> list[Job]:
        """Take the jobs of one batch out of the queue, for one worker that is free.

        How many: ⌈waiting / free workers⌉, within `max_batch_size` and `limit`. Then, so that nobody waits long for a
        batch of somebody else:

        - Several owners have jobs: the number of owners × the jobs of the one that has least. A picture beside
          somebody's thousand goes with one of those, and waits for one and not for 63.
        - One owner has jobs, and others had some a moment ago: at most a part of a batch, as they may come while it
          runs.
        - Otherwise: nothing is cut.

        Which: one of each owner in turn. Jobs that nobody waits for any more are dropped on the way. A job that must
        run alone, or is heavy, is a batch by itself.

        Args:
            free_workers: workers that have nothing to do, the one that asks included; at least 1.
            limit: a bound on the number of jobs beside `max_batch_size`; None: there is none.
            picture_s: seconds for which one job keeps a worker busy, estimated from earlier ones; infinite: not known.
            heavy: whether this worker may take a heavy job (one that takes long to decode). False keeps it for the
                jobs of other owners, so it counts only where there are such owners.

        Returns:
            The jobs; may be empty.
        """
        most = min(-(-self._jobs // free_workers), self._max_batch_size, limit or self._max_batch_size)
        if is_shared := self._is_shared():
            most = min(most, self._find_fair_size(picture_s))
        batch: list[Job] = []
        size_bytes = 0
        while self._shares and len(batch) < most:
            owner, share = self._find_next(heavy=heavy or not is_shared)
            if share is None:
                break
            job = share.requests[0].jobs[-1]
            if batch and (job.runs_alone or job.is_heavy or size_bytes + job.size_bytes > MAX_BATCH_BYTES):
                break
            self._take_first(owner, share)
            if not job.is_wanted():
                continue
            if len(self._shares) > 1 and owner in self._shares:
                self._shares.move_to_end(owner)  # whose turn it was
            batch.append(job)
            size_bytes += job.size_bytes
            if job.runs_alone or job.is_heavy:
                break
        return batch

    def close(self) -> None:
        """Admit nothing more; what waits is still handed out."""
        self._closed = True

    def __len__(self) -> int:
        return self._jobs

    def _is_shared(self) -> bool:
        """Whether several owners wait, or one does and others have sent something a moment ago."""
        now = self._clock()
        if now - self._active_since >= _ACTIVE_S:
            self._active_before, self._active, self._active_since = self._active, set(), now
        if len(self._shares) != 1:
            return len(self._shares) > 1
        owner, now_active, before = next(iter(self._shares)), self._active, self._active_before
        return len(now_active) > (owner in now_active) or len(before) > (owner in before)

    def _find_next(self, *, heavy: bool) -> tuple[Hashable, Share[Job] | None]:
        """Find whose turn it is, of those whose next job may be taken."""
        for owner, share in self._shares.items():
            if heavy or not share.requests[0].jobs[-1].is_heavy:
                return owner, share
        return None, None

    def _find_fair_size(self, picture_s: float) -> int:
        """Find how large a batch may be, of what waits now, so that it is fair to others."""
        if len(self._shares) == 1:
            return max(self._max_batch_size // _PART, int(_BRIEF_S / picture_s), 1)
        least = min([share.jobs for share in self._shares.values()], default=0)
        return max(least * len(self._shares), int(_QUICK_S / picture_s), 1)

    def _find_share(self, owner: Hashable) -> Share[Job]:
        share = self._shares.get(owner)
        if share is None:
            share = self._shares[owner] = Share()
        return share

    def _count(self, share: Share[Job], jobs: int) -> None:
        share.jobs += jobs
        self._jobs += jobs

    def _take_first(self, owner: Hashable, share: Share[Job]) -> None:
        """Take an owner's next job out of the queue."""
        request = share.requests[0]
        request.jobs.pop()
        request.is_whole = False
        if not request.jobs:
            share.requests.popleft()
            if not share.requests:
                del self._shares[owner]
        self._count(share, -1)

    def _make_room(self, owner: Hashable, jobs: int) -> list[Job]:
        """Take out what must give way, so that so many jobs of an owner fit.

        Raises:
            Overloaded: the owner would hold more than its share, or nothing more may give way; all is as before.
        """
        refusal = self._make_error()
        own_jobs = self._shares[owner].jobs if owner in self._shares else 0
        fair = self._max_jobs // (len(self._shares) + (owner not in self._shares))
        removed: list[tuple[Share[Job], Request[Job]]] = []
        while self._jobs + jobs > self._max_jobs:
            largest = None if own_jobs + jobs > fair else self._find_largest(owner, fair)
            if largest is None:
                for share, request in reversed(removed):
                    share.requests.append(request)
                    self._count(share, len(request.jobs))
                raise refusal
            request = largest.requests.pop()
            self._count(largest, -len(request.jobs))
            removed.append((largest, request))
        for other in [name for name, share in self._shares.items() if not share.requests]:
            del self._shares[other]
        return [job for _, request in removed for job in reversed(request.jobs)]

    def _find_largest(self, owner: Hashable, fair: int) -> Share[Job] | None:
        """Find who has most jobs, more than is fair, and a request that no worker has begun."""
        others = [
            share
            for other, share in self._shares.items()
            if other != owner and share.requests and share.requests[-1].is_whole and share.jobs > fair
        ]
        return max(others, key=lambda share: share.jobs, default=None)

    def _make_error(self) -> Overloaded:
        return Overloaded(f"{self._jobs} pictures wait already and no more fit; send the request again in a moment.")
