"""When two backends count as the same."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cvserve.predictor.backends.sklearn.compiled_check import describe_difference, prepare_pictures
from cvserve.predictor.models.input_spec import InputSpec

GREY = InputSpec((8, 8), "L", layout="flat")


class Known:
    """Scores of four classes, the first two a tie; `changed` is added to those of the last picture."""

    def __init__(
        self, changed: tuple[float, ...] = (0, 0, 0, 0), scores: str = "probabilities", alone: float = 0.0
    ) -> None:
        self.changed = changed
        self.scores = scores
        self.alone = alone

    def infer(self, batch: NDArray[Any]) -> NDArray[Any]:
        rows = np.tile([0.4, 0.4, 0.15, 0.05], (len(batch), 1))
        rows[-1] += self.changed
        return rows + (self.alone if len(batch) == 1 else 0)


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (Known(), ""),
        (Known((9e-6, -9e-6, 0, 0)), ""),
        (Known((-4e-6, 4e-6, 0, 0)), ""),  # another class, but it was a tie
        (Known((0, 0, 0.02, -0.02)), "and its graph give scores that are up to 0.02 apart"),
        (Known((2e-5, 0, -2e-5, 0)), "and its graph give scores that are up to 2e-05 apart"),
        (Known((np.nan, 0, 0, 0)), "and its graph give scores that are up to nan apart"),
        (Known(alone=0.1), "and its graph give scores that are up to 0.1 apart"),
    ],
)
def test_scores_may_be_apart_by_rounding_and_no_more(other: Known, says: str) -> None:
    assert describe_difference(Known(), other, GREY) == says


def test_logits_are_compared_as_the_scores_they_become() -> None:
    shifted = Known((7, 7, 7, 7), "logits")
    assert describe_difference(Known(scores="logits"), shifted, GREY) == ""
    assert describe_difference(Known(), shifted, GREY) != ""


def test_another_number_of_classes_is_a_difference() -> None:
    class Less(Known):
        def infer(self, batch: NDArray[Any]) -> NDArray[Any]:
            return super().infer(batch)[:, :3]

    assert describe_difference(Known(), Less(), GREY) == "has scores of shape [4] and its graph [3]"


@pytest.mark.parametrize(
    "spec",
    [GREY, InputSpec((9, 5)), InputSpec((9, 5), "BGR", "exact", layout="NHWC"), InputSpec((8, 8), "L", "pad")],
    ids=str,
)
def test_200_pictures_blank_and_busy_always_the_same(spec: InputSpec) -> None:
    batch = prepare_pictures(spec)
    assert batch.shape == (200, *spec.prepare(spec.render(batch[0])).shape)
    assert np.array_equal(batch, prepare_pictures(spec))
    assert len(np.unique(batch.reshape(200, -1), axis=0)) > 190
    spreads = np.ptp(batch.reshape(200, -1), axis=1)
    assert sum(spreads == 0) >= 16
    assert batch.min() == 0
    assert batch.max() == 1
