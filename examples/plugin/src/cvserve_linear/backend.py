"""The model itself: pixels times weights."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


class LinearBackend:
    """Scores of a linear model.

    Args:
        weights: float [F, C].
        bias: float [C].
    """

    def __init__(self, weights: NDArray[Any], bias: NDArray[Any]) -> None:
        self.weights = np.asarray(weights, dtype=np.float64)
        self.bias = np.asarray(bias, dtype=np.float64)

    def infer(self, batch: NDArray[Any]) -> NDArray[Any]:
        """Logits [N, C] for rows of pixels [N, F]."""
        # Row by row: the same picture gets the same score alone and in any batch, to the last digit.
        return np.stack([row @ self.weights + self.bias for row in batch])
