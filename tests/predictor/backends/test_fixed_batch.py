"""A model that takes a fixed number of pictures answers any number of them, each as if it were alone."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cvserve.predictor.backends.fixed_batch import FixedBatchBackend


class Strict:
    """Takes four pictures and nothing else, and doubles what it is given."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def infer(self, batch: NDArray[Any]) -> NDArray[Any]:
        self.sizes.append(len(batch))
        assert len(batch) == 4
        return batch * 2


@pytest.mark.parametrize(("pictures", "runs"), [(1, 1), (3, 1), (4, 1), (5, 2), (8, 2), (9, 3)])
def test_any_number_is_cut_and_filled_up(pictures: int, runs: int) -> None:
    strict = Strict()
    batch = np.arange(pictures * 3, dtype=np.float32).reshape(pictures, 3)
    assert np.array_equal(np.asarray(FixedBatchBackend(strict, 4).infer(batch)), batch * 2)
    assert strict.sizes == [4] * runs
