"""Small pictures are decoded together and then prepared together; large ones never wait in memory for others."""

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from cvserve import ModelError, Prediction, Predictor


class Listed(list[Any]):
    """Pictures that note when they are taken."""

    def __init__(self, pictures: list[Any], events: list[str]) -> None:
        super().__init__(pictures)
        self._events = events

    def __iter__(self) -> Iterator[Any]:
        for picture in super().__iter__():
            self._events.append("decode")
            yield picture


class Noting(Predictor):
    """Notes when a picture is prepared."""

    labels = ("one",)

    def __init__(self) -> None:
        super().__init__()
        self.events: list[str] = []

    def preprocess(self, image: Image.Image) -> NDArray[Any]:
        self.events.append("prepare")
        return np.zeros(1, np.float32)

    def infer(self, batch: NDArray[Any]) -> NDArray[Any]:
        return np.ones((len(batch), 1))


@pytest.mark.parametrize(
    ("side_px", "together"),
    [(64, 5), (700, 3), (2_000, 1)],  # 12 kB, 1.5 MB and 12 MB as RGB
)
def test_how_many_are_held_at_once(side_px: int, together: int) -> None:
    predictor = Noting()
    pictures: list[Any] = [Image.new("RGB", (side_px, side_px))] * 5
    outcomes = predictor.predict_each(Listed(pictures, predictor.events), keep_source=False)
    assert len(outcomes) == 5
    noted = "".join("d" if event == "decode" else "p" for event in predictor.events)
    runs = noted.rstrip("d").replace("pd", "p d").split()  # the list is read once more for the answers
    assert runs[0].count("d") == together
    assert all(run == "d" * run.count("d") + "p" * run.count("d") for run in runs)


class Unforeseen(os.PathLike[str]):
    """A picture at which a decoder raises what it should not raise."""

    def __fspath__(self) -> str:
        raise IndexError("a mistake in a decoder")


def test_mistake_in_a_decoder_costs_one_picture_and_not_its_neighbours() -> None:
    good = Image.new("RGB", (8, 8))
    first, second, third = Noting().predict_each([good, Unforeseen(), good])
    assert isinstance(first, Prediction)
    assert isinstance(second, ModelError)
    assert isinstance(second.__cause__, IndexError)
    assert isinstance(third, Prediction)
