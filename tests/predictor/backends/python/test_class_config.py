"""A class says of itself what it likes, in whatever way, and answers the same alone and loaded."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cvserve import Predictor
from support.command import cvserve
from support.own_models import BRIGHTNESS, SIZE

WHITE = np.full((10, 12, 3), 255, np.uint8)
STATED = """
    {decorator}
    def labels(self):
        return ("low", "high")

    {decorator}
    def scores(self):
        return "probabilities"

    {decorator}
    def name(self):
        return "meter"
"""
PLAIN_ATTRIBUTES = '    labels = ("dark", "light")\n    scores = "probabilities"\n'
UNNAMED = BRIGHTNESS.replace(PLAIN_ATTRIBUTES, "")
ONE_NUMBER = UNNAMED.replace("np.stack([1 - light, light], axis=1)", "light[:, None]")


def with_properties(decorator: str) -> str:
    return "from functools import cached_property\n" + UNNAMED + STATED.format(decorator=decorator)


def answers(path: Path) -> tuple[str, str]:
    """The class of a white picture, and the model's name, which the class gives alone as it gives them loaded."""
    loaded = Predictor.load(f"{path}:Brightness")
    own = sys.modules["my_model"].Brightness()
    answer = own.predict(WHITE)
    assert answer.top == loaded.predict(WHITE).top
    assert tuple(own.labels) == tuple(loaded.labels or ())
    assert own.info == loaded.info
    return answer.label, answer.model.name


def inspect(path: Path) -> Any:
    done = cvserve("model", "inspect", f"{path}:Brightness", "--json")
    assert done.code == 0, done.err
    return json.loads(done.out)["properties"]


@pytest.mark.parametrize("decorator", ["@property", "@cached_property"])
def test_properties_of_the_class_count_as_its_attributes_do(write: Callable[..., Path], decorator: str) -> None:
    path = write(with_properties(decorator))
    assert answers(path) == ("high", "meter")
    assert inspect(path)["labels"] == {"value": ["low", "high"], "from": "file"}
    write(with_properties(decorator), toml='name = "gauge"\nlabels = ["night", "day"]')
    assert answers(path) == ("day", "gauge")


@pytest.mark.parametrize("decorator", ["@property", "@cached_property"])
def test_a_property_may_need_what_setup_loads(write: Callable[..., Path], decorator: str) -> None:
    text = with_properties(decorator).replace('return ("low", "high")', "return self.names")
    path = write(text.replace("self.middle = 128.0", 'self.middle = 128.0; self.names = ("few", "many")'))
    assert answers(path) == ("many", "meter")


def test_a_property_that_fails_is_told_by_its_line(write: Callable[..., Path]) -> None:
    path = write(with_properties("@property").replace('return ("low", "high")', "return self.nmaes"))
    done = cvserve("model", "inspect", f"{path}:Brightness")
    assert "Brightness in my_model.py failed in labels: my_model.py, line " in done.err
    assert "no attribute 'nmaes'" in done.err


def test_labels_with_a_setter_are_given_through_it(write: Callable[..., Path]) -> None:
    setter = "\n    @labels.setter\n    def labels(self, labels):\n        self.given = labels\n"
    text = with_properties("@property").replace('return ("low", "high")', 'return getattr(self, "given", ("a", "b"))')
    text = text.replace('("a", "b"))\n', '("a", "b"))\n' + setter)
    path = write(text)
    assert answers(path) == ("b", "meter")
    write(text, toml='labels = ["night", "day"]')
    assert answers(path) == ("day", "meter")


@pytest.mark.parametrize("preparation", ["own", "toml"])
def test_what_setup_finds_out_counts(write: Callable[..., Path], preparation: str) -> None:
    found = 'self.middle = 128.0; self.scores = "probabilities"; self.labels = ("few", "many")'
    text = ONE_NUMBER.replace("self.middle = 128.0", found)
    if preparation == "toml":
        start, end = text.index("    def preprocess"), text.index("    def infer")
        text = text[:start] + text[end:].replace("batch[:, 0] >=", "batch.mean(axis=(1, 2, 3)) * 255 >=")
    path = write(text, toml=SIZE if preparation == "toml" else None)
    assert answers(path) == ("many", "brightness")
    assert inspect(path)["output.scores"] == {"value": "probabilities", "from": "file"}


def test_labels_that_a_class_is_given_after_its_body(write: Callable[..., Path]) -> None:
    text = UNNAMED + '\n\nBrightness.labels = ("low", "high")\n'
    path = write(text)
    assert answers(path) == ("high", "brightness")
    write(text, toml='labels = ["night", "day"]')
    assert answers(path) == ("day", "brightness")


def test_a_class_without_an_init_takes_no_arguments(write: Callable[..., Path]) -> None:
    path = write(BRIGHTNESS, toml="[model]\nargs = { limits = 3 }")
    done = cvserve("model", "inspect", f"{path}:Brightness")
    assert done.code == 5
    assert "Brightness in my_model.py has no argument 'limits'" in done.err
    assert "it takes none." in done.err
