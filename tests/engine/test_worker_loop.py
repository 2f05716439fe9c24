"""WorkerLoop: takes, answers, and outlives whatever a model does."""

from collections.abc import Sequence
from typing import Any

import pytest
from numpy.typing import NDArray

from cvserve.engine.task import Outcome, Task
from cvserve.engine.worker_loop import WorkerLoop
from cvserve.errors import ModelError
from support.fakes import BrightnessPredictor
from support.pictures import grey


class ListChannel:
    """Batches from a list; keeps the answers."""

    def __init__(self, *batches: list[Task]) -> None:
        self.batches = list(batches)
        self.answers: list[Sequence[Outcome]] = []

    def take(self) -> list[Task]:
        return self.batches.pop(0) if self.batches else []

    def answer(self, outcomes: Sequence[Outcome]) -> None:
        self.answers.append(outcomes)


class LeavingPredictor(BrightnessPredictor):
    """Raises what it was given when a white picture is in the batch."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def infer(self, batch: NDArray[Any]) -> NDArray[Any]:
        if (batch > 192).any():
            raise self.error
        return super().infer(batch)


class HalfPredictor(BrightnessPredictor):
    """Cannot be set up, or loses an answer; a class of a user's own may override whatever it likes."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how

    def setup(self) -> None:
        if self.how == "setup":
            raise SystemExit("no weights")

    def predict_each(self, images: Sequence[Any], **options: Any) -> list[Any]:
        return super().predict_each(images, **options)[self.how == "count" :]


def test_loop_ends_with_its_channel() -> None:
    channel = ListChannel([Task(grey(0), 1)], [Task(grey(255), 1), Task(b"x", 1)])
    WorkerLoop(BrightnessPredictor(), channel).run()
    assert [len(answer) for answer in channel.answers] == [1, 2]


@pytest.mark.parametrize("error", [SystemExit(3), RuntimeError("x"), MemoryError(), RecursionError(), StopIteration()])
def test_whatever_a_model_raises_costs_only_the_picture_that_made_it(error: BaseException) -> None:
    channel = ListChannel([Task(grey(level), 1) for level in (0, 255, 100)], [Task(grey(0), 1)])
    WorkerLoop(LeavingPredictor(error), channel).run()
    first, second, third = channel.answers[0]
    assert not isinstance(first, Exception)
    assert not isinstance(third, Exception)
    assert isinstance(second, ModelError)
    assert len(channel.answers) == 2


@pytest.mark.parametrize("how", ["setup", "count"])
def test_what_is_no_pictures_fault_is_an_error_for_each_and_the_loop_goes_on(how: str) -> None:
    batch = [Task(grey(0), 1), Task(grey(100), 1)]
    channel = ListChannel(batch, batch)
    WorkerLoop(HalfPredictor(how), channel).run()
    assert [[type(outcome) for outcome in answer] for answer in channel.answers] == [[ModelError] * 2] * 2
