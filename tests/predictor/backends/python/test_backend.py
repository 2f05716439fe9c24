"""A class says that a picture is of no class that it knows: by a score that is too low, or in its own words."""

from collections.abc import Callable

import numpy as np
import pytest

from cvserve import Predictor
from cvserve.predictor.predictor import LoadedPredictor

SIZE = '[input]\nsize = [2, 2]\nmode = "RGB"\nlayout = "flat"\n'
BODY = (
    "scores = 'probabilities'\ndef infer(self, batch):\n    light = batch[:, :1]\n"
    "    return np.hstack([1 - light, light])"
)
GREY, WHITE = np.full((2, 2, 3), 127, np.uint8), np.full((2, 2, 3), 255, np.uint8)
UNKNOWN = "The best score is 0.502, under 0.9: the picture may be of no class that is known."


@pytest.mark.parametrize(
    ("body", "toml"),
    [
        (BODY, SIZE + "[output]\nunknown_below = 0.9\n"),
        ("unknown_below = 0.9\n" + BODY, SIZE),
        ("unknown_below = 0.1\n" + BODY, SIZE + "[output]\nunknown_below = 0.9\n"),
    ],
    ids=["model.toml", "the class", "model.toml before the class"],
)
def test_a_low_score_is_warned_of(load_own: Callable[..., LoadedPredictor | str], body: str, toml: str) -> None:
    predictor = load_own(body, toml)
    assert isinstance(predictor, Predictor)
    grey, white = predictor.predict_batch([GREY, WHITE])
    assert (grey.warning, white.warning) == (UNKNOWN, None)
    assert (grey.label, grey.score) == ("0", 0.501961)
    assert predictor.model.origins["output.unknown_below"][0] == 0.9


def test_a_class_by_itself_warns_as_well() -> None:
    class Meter(Predictor):
        scores = "probabilities"
        unknown_below = 0.9

        def infer(self, batch: np.ndarray) -> np.ndarray:
            light = batch[:, 0, 0, :1] / 255
            return np.hstack([1 - light, light])

    assert Meter().predict(GREY).warning == UNKNOWN
    assert Meter().predict(WHITE).warning is None


@pytest.mark.parametrize("value", ["'half'", "1.5", "-0.1"])
def test_what_is_no_score_is_refused(load_own: Callable[..., LoadedPredictor | str], value: str) -> None:
    assert "unknown_below = " in str(load_own(f"unknown_below = {value}\n{BODY}", SIZE))
    assert "write a score from 0 to 1" in str(load_own(BODY, f"{SIZE}[output]\nunknown_below = {value}\n"))


def test_labels_alone_have_no_score_that_could_be_low(load_own: Callable[..., LoadedPredictor | str]) -> None:
    body = "scores = 'labels'\ndef infer(self, batch):\n    return np.eye(2)[(batch[:, 0] > 0.5).astype(int)]"
    said = load_own(body, SIZE + "[output]\nunknown_below = 0.9\n")
    assert 'has [output] unknown_below, but its scores are "labels", of which each is 1; remove it.' in str(said)
