"""A model whose answer depends on chance is refused; one whose answer depends on company is asked without company."""

import logging
from collections.abc import Callable

import numpy as np
import pytest

from cvserve import Predictor
from cvserve.predictor.backends.probe.consistency import check_consistency
from cvserve.predictor.predictor import LoadedPredictor

SIZE = '[input]\nsize = [2, 2]\nmode = "RGB"\nlayout = "flat"\n'
PICTURES = [np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8) for seed in range(5)]
BY_CHANCE = {
    "noise": "return batch @ WEIGHTS + np.random.normal(0, 0.01, 3)",
    "dropout": "return (batch * (np.random.random(batch.shape) > 0.3)) @ WEIGHTS",
    "now and then": "return batch @ WEIGHTS + (np.random.random() < 0.5)",
    "a counter": "return batch @ WEIGHTS + 0.01 * next(COUNT)",
    "every second time": "return batch @ WEIGHTS + next(COUNT) % 2",
    "every third time": "return batch @ WEIGHTS + (next(COUNT) % 3 == 2)",
}
BY_COMPANY = {
    "the mean of the batch": "return (batch - batch.mean(axis=0)) @ WEIGHTS",
    "batch normalisation": "x = batch @ WEIGHTS\n    return (x - x.mean()) / (x.std() + 1e-5)",
    "soft-max over the wrong axis": "x = np.exp(batch @ WEIGHTS)\n    return 5 * x / x.sum(axis=0) - 1",
    "one at a time": "assert len(batch) == 1\n    return batch @ WEIGHTS",
    "chance, in company only": "return batch @ WEIGHTS + (len(batch) > 1) * np.random.normal(0, 1, 3)",
    "shuffled": "return np.random.permutation(batch) @ WEIGHTS",
    "one row": "return batch[0] @ WEIGHTS",
}
ROUNDING = {
    "float32": "return (batch.astype(np.float32) @ WEIGHTS.astype(np.float32))",
    "in another order": "order = range(12)[:: 1 if len(batch) > 1 else -1]\n"
    "    return sum(batch[:, i : i + 1] * WEIGHTS[i] for i in order)",
    "large": "return 1e7 * (batch.astype(np.float32) @ WEIGHTS) * (1 + 1e-6 * len(batch))",
}


def scores(predictor: Predictor, pictures: list[np.ndarray]) -> list[list[float]]:
    answers = predictor.predict_batch(pictures)
    return [[entry.score for entry in sorted(answer.top, key=lambda entry: entry.index)] for answer in answers]


@pytest.mark.parametrize("name", BY_CHANCE)
def test_chance_is_refused(load_own: Callable[..., LoadedPredictor | str], name: str) -> None:
    assert load_own(f"scores = 'logits'\ndef infer(self, batch):\n    {BY_CHANCE[name]}", SIZE) == (
        "Own in own_of_test.py gives the same picture two different answers; call eval() on its network in setup, and "
        "take random numbers and counters out of infer."
    )


@pytest.mark.parametrize("name", BY_COMPANY)
def test_company_is_kept_away_and_told(
    load_own: Callable[..., LoadedPredictor | str], name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        predictor = load_own(f"scores = 'logits'\ndef infer(self, batch):\n    {BY_COMPANY[name]}", SIZE)
    assert isinstance(predictor, Predictor)
    said = "one by one, since its scores depend on the company"
    assert caplog.messages == [f"Own in own_of_test.py is asked {said}"]
    assert predictor.model.origins["batch"] == (said, "warm-up")
    assert scores(predictor, PICTURES) == [scores(predictor, [picture])[0] for picture in PICTURES]


@pytest.mark.parametrize("name", ROUNDING)
def test_rounding_is_no_fault(
    load_own: Callable[..., LoadedPredictor | str], name: str, caplog: pytest.LogCaptureFixture
) -> None:
    predictor = load_own(f"scores = 'logits'\ndef infer(self, batch):\n    {ROUNDING[name]}", SIZE)
    assert isinstance(predictor, Predictor)
    assert "batch" not in predictor.model.origins
    assert not caplog.messages


def test_warnings_of_a_model_stay_with_their_pictures_when_it_is_asked_one_by_one(
    load_own: Callable[..., LoadedPredictor | str],
) -> None:
    body = (
        "scores = 'logits'\ndef infer(self, batch):\n    x = batch - batch.mean(axis=0)\n"
        "    return Inferred(x @ WEIGHTS, ['dark' if row.mean() < 0.5 else None for row in batch])"
    )
    predictor = load_own(body, SIZE, before="from cvserve.predictor.contract import Inferred\n")
    assert isinstance(predictor, Predictor)
    black, white = np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 255, np.uint8)
    assert [answer.warning for answer in predictor.predict_batch([white, black, white])] == [None, "dark", None]


def test_a_model_that_fails_on_these_pictures_is_not_refused_for_it(
    load_own: Callable[..., LoadedPredictor | str],
) -> None:
    body = "scores = 'logits'\ndef infer(self, batch):\n    assert batch.std() < 0.01\n    return batch @ WEIGHTS"
    assert isinstance(load_own(body, SIZE), Predictor)


def test_a_slow_model_is_asked_five_times_at_most() -> None:
    class Slow:
        asked = 0

        def infer(self, batch: np.ndarray) -> np.ndarray:
            self.asked += 1
            return batch[:, :2] * 1.0

    slow = Slow()
    samples = [np.full((1, 4), value, np.float32) for value in (1, 2)]
    check_consistency(slow, samples, "python", lambda: None, repeats_s=0)
    assert slow.asked == 4  # and once before, about a grey picture


@pytest.mark.parametrize(("device", "is_kept"), [("cpu", False), ("cuda:0", True)])
def test_a_device_rounds_coarser_than_the_cpu(device: str, *, is_kept: bool) -> None:
    """Another kernel for another number of pictures, with TF32's eleven bits of a number."""

    class Rounding:
        def infer(self, batch: np.ndarray) -> np.ndarray:
            return batch.reshape(len(batch), -1)[:, :3] * (1 + (len(batch) > 1) * 2e-3)

    samples = [np.random.default_rng(seed).random((1, 4)) for seed in range(4)]
    backend = Rounding()
    checked = check_consistency(backend, samples, "torch", lambda: None, device=device)
    assert (checked.backend is backend) == is_kept
