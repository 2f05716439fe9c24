"""Admitted pictures on their way through the engine, one by one and in a batch, and how long a worker may hold that."""

import asyncio
import time
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from loguru import logger

from cvserve.engine.task import Abandoned, Outcome, Task
from cvserve.errors import CvserveError, Overloaded
from cvserve.predictor.prediction import Prediction

# Shares of `predict_timeout` after which a worker counts as hung: a batch leaves time to try its pictures one by one.
_BATCH_SHARE, _ALONE_SHARE, _RETRY_SHARE = 0.5, 1.0, 0.25


@dataclass(slots=True, eq=False)
class Job:
    """A task, and whoever waits for its answer.

    Attributes:
        has_left: asked right before a worker gets the task, whether nobody waits any more.
        owner: who sent it; owners are served in turn.
        is_heavy: whether it keeps a worker so long that others notice.
        tries: workers that were lost while they held it; after the first it runs alone.
        strikes: those of them of which it may have been the reason; `suspects.py` counts them.
    """

    task: Task
    future: "asyncio.Future[Prediction]"
    has_left: Callable[[], bool] | None = None
    owner: Hashable = None
    is_heavy: bool = False
    submitted_at: float = field(default_factory=time.monotonic)
    tries: int = 0
    strikes: int = 0

    @property
    def size_bytes(self) -> int:
        """Bytes that it adds to a batch."""
        return len(self.task.data)

    @property
    def runs_alone(self) -> bool:
        """Whether it is suspected of having ended a worker."""
        return self.tries > 0

    def is_wanted(self) -> bool:
        """Whether somebody still waits; if not, the future has ended when this returns."""
        if self.future.done():
            return False
        if self.has_left is not None and self.has_left():
            self.future.set_exception(Abandoned())
            return False
        return True

    def give_way(self) -> None:
        """End the future of a job that was taken out of a full queue, so that somebody who has little is let in."""
        if not self.future.done():
            self.future.set_exception(
                Overloaded(
                    "The queue is full, and most of what waits was sent with this token; send the request again in a"
                    " moment.",
                    "gave_way",
                )
            )

    def resolve(self, outcome: Outcome, given_at: float) -> None:
        """End the future with a worker's outcome.

        Args:
            outcome: of this job.
            given_at: when the worker was given the batch, on the monotonic clock.
        """
        if isinstance(outcome, CvserveError):
            if outcome.__cause__ is not None:
                logger.opt(exception=outcome.__cause__).error("model: {}", outcome)
                outcome.__cause__.__traceback__ = None  # on a thread of ours it leads to the pictures of the batch
            if not self.future.done():
                self.future.set_exception(outcome)
        elif not self.future.done():  # else its caller left, or it took too long
            queue_ms = round((given_at - self.submitted_at) * 1000, 3)
            self.future.set_result(outcome.with_queue_ms(queue_ms))


class Batch(NamedTuple):
    """What a worker holds.

    Attributes:
        given_at: on the monotonic clock.
        limit_s: after so long the worker counts as hung.
    """

    jobs: list[Job]
    given_at: float
    limit_s: float


def start_batch(jobs: list[Job], timeout_s: float) -> Batch:
    """Make a batch of jobs that a worker is given now.

    Args:
        jobs: at least one; a picture that is tried again is alone in its batch.
        timeout_s: in which all of them are to be answered.
    """
    share = _RETRY_SHARE if jobs[0].runs_alone else _ALONE_SHARE if len(jobs) == 1 else _BATCH_SHARE
    return Batch(jobs, time.monotonic(), timeout_s * share)


def has_worker_for_heavy(busy: Iterable[Batch], live_workers: int) -> bool:
    """Whether another heavy picture would leave a worker for everybody else; with one worker, always.

    Args:
        busy: what workers hold.
        live_workers: how many there are, busy or not.
    """
    held = sum([batch.jobs[0].is_heavy for batch in busy])
    return held == 0 or held < live_workers - 1
