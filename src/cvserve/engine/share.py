"""What waits of one owner in the admission queue."""

from collections import deque
from collections.abc import Hashable
from typing import Generic, Protocol, TypeVar


class Waiting(Protocol):
    """What can wait in the queue."""

    @property
    def owner(self) -> Hashable:
        """Whose it is: all jobs of equal owners share one place in the round."""

    @property
    def size_bytes(self) -> int:
        """Bytes that it adds to a batch."""

    @property
    def runs_alone(self) -> bool:
        """Whether it may share a batch with nobody."""

    @property
    def is_heavy(self) -> bool:
        """Whether it keeps a worker so long that others notice."""

    def is_wanted(self) -> bool:
        """Whether somebody still waits for its answer."""


Job = TypeVar("Job", bound=Waiting)


class Request(Generic[Job]):
    """Jobs that were admitted together.

    Attributes:
        jobs: those that still wait, the next one last.
        is_whole: whether no worker has had any of them.
    """

    __slots__ = ("is_whole", "jobs")

    def __init__(self, jobs: list[Job], *, is_whole: bool) -> None:
        self.jobs = jobs
        self.is_whole = is_whole


class Share(Generic[Job]):
    """What waits of one owner: its requests, oldest first, and how many jobs they are."""

    __slots__ = ("jobs", "requests")

    def __init__(self) -> None:
        self.requests: deque[Request[Job]] = deque()
        self.jobs = 0
