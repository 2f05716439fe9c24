"""What the engine knows of its workers, whether they are threads or processes."""

from collections.abc import Sequence
from typing import Protocol

from cvserve.engine.task import Outcome, Task
from cvserve.predictor.prediction import ModelInfo


class Worker(Protocol):
    """One worker, seen from the event loop.

    Attributes:
        is_retiring: it gets no further batch.
    """

    is_retiring: bool

    def give(self, tasks: Sequence[Task]) -> None:
        """Hand a batch over; `Office.answered` hears the outcomes, or `Office.lost` that there are none."""

    def end_hung(self) -> None:
        """It took too long: end it if that is possible, and replace it."""


class Office(Protocol):
    """Where workers report, on the event loop's thread. The engine is one."""

    def joined(self, worker: Worker) -> None:
        """A worker is warm and has nothing to do."""

    def answered(self, worker: Worker, outcomes: Sequence[Outcome]) -> None:
        """One outcome for each task of its batch, in order; the worker has nothing to do again."""

    def lost(self, worker: Worker, *, hung: bool) -> None:
        """A worker is gone, with whatever it held; `hung` when it was ended because it took too long."""

    def replaced(self, reason: str) -> None:
        """Why a lost worker was replaced, one of `REASONS`; known a moment later."""

    def retire(self, worker: Worker) -> bool:
        """Give this worker nothing more; whether it had nothing to do."""


class WorkerPool(Protocol):
    """Makes workers and replaces those that are lost.

    Attributes:
        info: which model they run.
        guessed: what about it was neither said nor read from its file.
        wanted: how many there should be.
    """

    info: ModelInfo
    guessed: tuple[str, ...]
    wanted: int

    def wait_loaded(self) -> None:
        """Block until it is known which model it is.

        Raises:
            CvserveError: it cannot be loaded; nothing is left of the pool then.
        """

    async def start(self, office: Office) -> None:
        """Begin; returns when all of them have joined.

        Raises:
            CvserveError: the model cannot answer.
        """

    async def close(self) -> None:
        """End them all. Those that are idle end by themselves."""

    def kill(self) -> None:
        """End them all at once, from any thread, also without a `start`. May be called twice."""


# Why a worker was replaced: it ended by itself, by a signal, it hung, it had grown too large, or the process
# that it was forked from was gone.
REASONS = ("exit", "signal", "hung", "memory", "nursery")
