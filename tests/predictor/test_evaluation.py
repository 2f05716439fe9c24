from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from numpy.typing import NDArray
from PIL import Image

from cvserve.predictor.evaluation import evaluate
from cvserve.predictor.labelled import LabelledPicture
from support.fakes import BrightnessPredictor

LABELS = ("black", "dark", "light", "white")


@pytest.fixture
def grey(tmp_path: Path) -> Callable[..., list[LabelledPicture]]:
    """Pictures of one grey each, labelled."""

    def make(*entries: tuple[int, int]) -> list[LabelledPicture]:
        pictures = []
        for number, (tone, truth) in enumerate(entries):
            path = tmp_path / f"{number}.png"
            Image.new("L", (4, 4), tone).save(path)
            pictures.append(LabelledPicture(path, truth))
        return pictures

    return make


def test_right_and_wrong_are_counted(grey: Callable[..., list[LabelledPicture]]) -> None:
    pictures = grey((10, 0), (20, 0), (70, 1), (80, 0), (200, 3), (210, 1))
    done = evaluate(BrightnessPredictor(), pictures, LABELS)
    assert (done.answered, done.right) == (6, 4)
    assert done.accuracy == pytest.approx(4 / 6)
    assert dict(done.confusion) == {(0, 0): 2, (1, 1): 1, (0, 1): 1, (3, 3): 1, (1, 3): 1}
    tallies = {tally.index: tally for tally in done.classes()}
    assert sorted(tallies) == [0, 1, 3]
    assert (tallies[0].pictures, tallies[0].right, tallies[0].predicted) == (3, 2, 2)
    assert tallies[0].recall == pytest.approx(2 / 3)
    assert tallies[0].precision == 1.0
    assert (tallies[1].recall, tallies[1].precision) == (0.5, 0.5)
    assert [mistake.path.name for mistake in done.worst(5)] == ["3.png", "5.png"]


def test_pictures_are_asked_about_in_batches(grey: Callable[..., list[LabelledPicture]]) -> None:
    predictor, done = BrightnessPredictor(), list[int]()
    evaluate(predictor, grey(*[(10, 0)] * 70), LABELS, done.append)
    assert predictor.batch_sizes == [64, 6]
    assert done == [64, 6]


def test_what_gets_no_answer_counts_neither_way(grey: Callable[..., list[LabelledPicture]]) -> None:
    pictures = [*grey((10, 0)), LabelledPicture(Path("nothing.png"), 1)]
    done = evaluate(BrightnessPredictor(), pictures, LABELS)
    assert (done.answered, done.accuracy) == (1, 1.0)
    ((path, error),) = done.failed
    assert (path, error.code) == (Path("nothing.png"), "invalid_image")


def test_without_an_answer_there_is_no_accuracy() -> None:
    done = evaluate(BrightnessPredictor(), [LabelledPicture(Path("nothing.png"), 1)], LABELS)
    assert done.accuracy is None
    assert done.classes() == []


def test_the_worst_mistakes_are_those_that_the_model_was_surest_of(grey: Callable[..., list[LabelledPicture]]) -> None:
    class Sure(BrightnessPredictor):
        def infer(self, batch: NDArray[Any]) -> NDArray[Any]:
            scores = super().infer(batch)
            scores[:, 0] = batch[:, 0] / 255
            return scores

    pictures = grey((250, 1), (180, 1), (255, 1))
    assert [mistake.path.name for mistake in evaluate(Sure(), pictures, LABELS).worst(2)] == ["2.png", "0.png"]
