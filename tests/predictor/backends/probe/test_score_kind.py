"""What a model's numbers are is seen where there is no doubt, and asked for where there is."""

from collections.abc import Callable

import numpy as np
import pytest

from cvserve import Predictor
from cvserve.predictor.predictor import LoadedPredictor

SIZE = '[input]\nsize = [2, 2]\nmode = "RGB"\nlayout = "flat"\n'
PICTURE = np.full((2, 2, 3), 200, np.uint8)
LOGITS = "batch @ WEIGHTS"
SIGMOID = f"1 / (1 + np.exp(-{LOGITS}))"
FEW = f"0.5 + 0.01 * np.tanh({LOGITS}) + 0.01 * {LOGITS}"  # of real pictures all are from 0 to 1


def own(answer: str, kind: str | None = None) -> str:
    said = f"scores = {kind!r}\n" if kind else ""
    return f"{said}def infer(self, batch):\n    return {answer}"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (LOGITS, "logits"),
        (FEW, "logits"),
        ("np.zeros((len(batch), 3))", "logits"),
        ("np.ones((len(batch), 3))", "logits"),
        (f"np.exp({LOGITS}) / np.exp({LOGITS}).sum(axis=1, keepdims=True)", "probabilities"),
    ],
)
def test_what_is_clear_is_seen(load_own: Callable[..., LoadedPredictor | str], answer: str, kind: str) -> None:
    predictor = load_own(own(answer), SIZE)
    assert isinstance(predictor, Predictor)
    assert (predictor.scores, predictor.model.origins["output.scores"]) == (kind, (kind, "warm-up"))


def test_a_sigmoid_is_asked_about(load_own: Callable[..., LoadedPredictor | str]) -> None:
    assert load_own(own(SIGMOID), SIZE) == (
        "Own in own_of_test.py gives scores from 0 to 1 that do not sum to 1, and it cannot be seen what they are; say "
        'in own_of_test.toml: [output] scores = "probabilities" (taken as they are, as after a sigmoid), "logits" '
        '(soft-max is applied) or "sigmoid" (a sigmoid of each is taken)'
    )


@pytest.mark.parametrize(("answer", "kind"), [(SIGMOID, "probabilities"), (LOGITS, "sigmoid")])
def test_a_picture_may_have_several_labels(
    load_own: Callable[..., LoadedPredictor | str], answer: str, kind: str
) -> None:
    for body, toml in ((own(answer, kind), SIZE), (own(answer), f'{SIZE}[output]\nscores = "{kind}"\n')):
        predictor = load_own(body, toml)
        assert isinstance(predictor, Predictor)
        assert predictor.model.origins["labels are"] == ("each by itself: their scores do not sum to 1", "warm-up")
        weights = np.random.default_rng(1).normal(size=(12, 3))
        logits = np.full(12, 200 / 255) @ weights
        answered = predictor.predict(PICTURE)
        expected = sorted(1 / (1 + np.exp(-logits)), reverse=True)
        assert [entry.score for entry in answered.top] == pytest.approx(expected, abs=1e-6)
        assert answered.score == answered.top[0].score


@pytest.mark.parametrize("kind", ["probabilities", "labels"])
def test_what_is_no_probability_is_not_taken_for_one(load_own: Callable[..., LoadedPredictor | str], kind: str) -> None:
    said = load_own(own(f"np.round(10 * {LOGITS})", kind), SIZE)
    assert f'as one of its scores = "{kind}", which are from 0 to 1; correct [output] scores: "logits"' in str(said)
