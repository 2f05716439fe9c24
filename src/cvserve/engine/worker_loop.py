"""The loop of every worker: take a batch, decode, prepare, infer, answer. It knows neither threads nor processes."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from cvserve.engine.task import Outcome, Task
from cvserve.errors import ModelError
from cvserve.predictor.prediction import Prediction
from cvserve.predictor.predictor import Predictor


class Channel(Protocol):
    """How a worker hears of work and answers it: a queue between threads, or frames between processes."""

    def take(self) -> Sequence[Task]:
        """Wait for the next batch; empty when there will be none."""

    def answer(self, outcomes: Sequence[Outcome]) -> None:
        """One outcome for each task of the batch that was taken, in order."""


class WorkerLoop:
    """Runs a predictor behind a channel until the channel ends.

    Args:
        predictor: set up and warmed by whoever started the worker.
        channel: where work comes from.
    """

    def __init__(self, predictor: Predictor, channel: Channel) -> None:
        self._predictor = predictor
        self._channel = channel

    def run(self) -> None:
        """Work until the channel ends."""
        while tasks := self._channel.take():
            self._channel.answer(self._outcomes(tasks))

    def _outcomes(self, tasks: Sequence[Task]) -> list[Outcome]:
        top_k = max(task.top_k for task in tasks)
        try:
            outcomes = self._predictor.predict_each([task.data for task in tasks], top_k=top_k, keep_source=False)
        except (Exception, SystemExit) as error:  # a worker outlives whatever a model does
            if len(tasks) > 1:  # one picture may have upset the whole batch: ask again one by one
                return [outcome for task in tasks for outcome in self._outcomes([task])]
            failure = ModelError("The model failed; the server's own log has the reason.")
            failure.__cause__ = error
            return [failure]
        return [_cut(outcome, task.top_k) for outcome, task in zip(outcomes, tasks, strict=True)]


def _cut(outcome: Outcome, top_k: int) -> Outcome:
    """The answer with as many classes as this one asked for; the batch was run for the longest wish."""
    if isinstance(outcome, Prediction) and len(outcome.top) > top_k:
        return replace(outcome, top=outcome.top[:top_k])
    return outcome
