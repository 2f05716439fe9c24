"""What the engine, its pools and their workers expect of each other, whether the workers are threads or processes.

The engine gives batches to a `Worker`; whatever happens to it then is reported to a `Supervisor`, which is the engine
again. A `WorkerPool` makes the workers and replaces those that end.
"""

from collections.abc import Sequence
from typing import Literal, Protocol, get_args

from cvserve.engine.guilt import Guilt
from cvserve.engine.task import Outcome, Task
from cvserve.predictor.prediction import ModelInfo

# Why a worker was replaced: it ended by itself, by a signal, it hung, it had grown too large, or the fork server that
# had made it was gone. They are labels of a public metric, so "nursery", the fork server's first name, stays.
RestartReason = Literal["exit", "signal", "hung", "memory", "nursery"]
RESTART_REASONS: tuple[RestartReason, ...] = get_args(RestartReason)


class Worker(Protocol):
    """One worker, seen from the event loop.

    Attributes:
        is_retiring: it gets no further batch.
    """

    is_retiring: bool

    def give(self, tasks: Sequence[Task]) -> None:
        """Hand a batch over; it ends with `Supervisor.on_answer`, or with `Supervisor.on_lost`."""

    def end_hung(self) -> None:
        """End it, if that is possible, because its batch took too long; its pool replaces it."""


class Supervisor(Protocol):
    """Who is told what happens to workers, on the event loop's thread. The engine is one."""

    def on_ready(self, worker: Worker) -> None:
        """A new worker is warm and waits for its first batch."""

    def on_answer(self, worker: Worker, outcomes: Sequence[Outcome]) -> None:
        """A worker has answered its batch, and waits for the next one.

        Args:
            worker: who answers.
            outcomes: one for each task, in order.
        """

    def on_lost(self, worker: Worker) -> None:
        """A worker is gone, and what it held is not answered; `on_cause` follows in a moment."""

    def on_cause(self, worker: Worker, guilt: Guilt, *, hung: bool) -> None:
        """It is known why a lost worker ended; told once for each.

        Args:
            worker: who is gone.
            guilt: what its end says about the pictures that it held.
            hung: whether it was ended because it did not answer.
        """

    def on_restart(self, reason: RestartReason) -> None:
        """A worker is replaced, or the fork server; for the metrics."""

    def retire(self, worker: Worker) -> bool:
        """Give this worker no further batch; True if it has none now, so that it can be ended at once."""


class WorkerPool(Protocol):
    """Makes workers and replaces those that end.

    Attributes:
        info: which model they run.
        guessed: what about it was neither configured nor read from the file.
        wanted: how many workers there should be.
    """

    info: ModelInfo
    guessed: tuple[str, ...]
    wanted: int

    def wait_loaded(self) -> None:
        """Block until the model is loaded, which began when the pool was made.

        Raises:
            CvserveError: it cannot be loaded; nothing is left of the pool then.
        """

    async def start(self, supervisor: Supervisor) -> None:
        """Make the workers; returns when all of them are ready.

        Args:
            supervisor: is told of every worker from now on.

        Raises:
            CvserveError: the model cannot answer, or its workers end again and again before they are ready.
        """

    async def close(self) -> None:
        """End the workers and wait for that. Those that are idle end by themselves."""

    def kill(self) -> None:
        """End the workers at once, from any thread, also without a `start`. May be called twice."""


class EngineObserver(Protocol):
    """Who counts what the engine does; a server's metrics are one."""

    def count_batch(self, size: int, busy_s: float) -> None:
        """Count a batch that a worker has answered: so many pictures in so many seconds."""

    def count_restart(self, reason: RestartReason) -> None:
        """Count a worker that was lost and is replaced."""
