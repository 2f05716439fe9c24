"""A backend with a batch size that is built into its model: batches are cut to it, and the last part is filled up."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvserve.predictor.contract import Backend, scores_of


class FixedBatchBackend:
    """Gives a backend always the same number of pictures, however many are asked about.

    Args:
        backend: that takes no other number; it gives bare scores, without warnings.
        batch_size: how many pictures it takes at a time.
    """

    def __init__(self, backend: Backend, batch_size: int) -> None:
        self._backend = backend
        self._batch_size = batch_size

    def infer(self, batch: NDArray[Any]) -> NDArray[Any]:
        """Scores [N, C] for a batch [N, …] of any size."""
        size = self._batch_size
        return np.concatenate([self._infer_part(batch[start : start + size]) for start in range(0, len(batch), size)])

    def _infer_part(self, rows: NDArray[Any]) -> NDArray[Any]:
        missing = self._batch_size - len(rows)
        if missing:  # the last picture again, whose scores are thrown away
            rows = np.concatenate([rows, np.repeat(rows[-1:], missing, axis=0)])
        scores: NDArray[Any] = scores_of(self._backend.infer(rows))
        return scores[: self._batch_size - missing]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._batch_size} at a time: {self._backend!r}>"
