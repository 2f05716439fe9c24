"""The loop of every worker: take a batch, decode, prepare, infer, answer. It knows neither threads nor processes."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from cvserve.devices import computes_beside
from cvserve.engine.device_batches import DeviceBatches
from cvserve.engine.task import Outcome, Task
from cvserve.errors import ModelError
from cvserve.predictor.prediction import Prediction
from cvserve.predictor.predictor import Predictor


class Channel(Protocol):
    """How work reaches a worker, and its answers the front: a queue between threads, or frames between processes."""

    def take(self) -> Sequence[Task]:
        """Wait for the next batch; empty when there will be none."""

    def answer(self, outcomes: Sequence[Outcome]) -> None:
        """Pass on one outcome for each task of the batch that was taken, in order."""


class WorkerLoop:
    """Runs a predictor behind a channel until the channel ends.

    Args:
        predictor: set up and warmed by whoever started the worker.
        channel: where work comes from.
    """

    def __init__(self, predictor: Predictor, channel: Channel) -> None:
        self._on_device = DeviceBatches(predictor) if computes_beside(predictor.info.device) else None
        self._predict_each = predictor.predict_each if self._on_device is None else self._on_device.predict_each
        self._channel = channel

    def warm_up(self) -> None:
        """Run a batch of each size for which a device must be ready; on the CPU there is nothing to do."""
        if self._on_device is not None:
            self._on_device.warm_up()

    def run(self) -> None:
        """Work until the channel ends."""
        while tasks := self._channel.take():
            self._channel.answer(self._answer_batch(tasks))

    def _answer_batch(self, tasks: Sequence[Task]) -> list[Outcome]:
        """One outcome for each task. What a picture is to blame for, the predictor has answered for that picture."""
        top_k = max(task.top_k for task in tasks)
        try:
            outcomes = self._predict_each([task.data for task in tasks], top_k=top_k, keep_source=False)
            return [_cut_top(outcome, task.top_k) for outcome, task in zip(outcomes, tasks, strict=True)]
        except (Exception, SystemExit) as error:  # no picture's fault, such as that of `setup`; a worker outlives it
            failure = ModelError("The model failed; the server's own log has the reason.")
            failure.__cause__ = error
            return [failure for _ in tasks]


def _cut_top(outcome: Outcome, top_k: int) -> Outcome:
    """Leave as many classes as this caller asked for; the batch was run for the one who asked for most."""
    if isinstance(outcome, Prediction) and len(outcome.top) > top_k:
        return replace(outcome, top=outcome.top[:top_k])
    return outcome
