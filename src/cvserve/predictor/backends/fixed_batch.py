"""A backend with a batch size that is built into its model: batches are cut to it, and the last part is filled up."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvserve.predictor.contract import Backend, Inferred, scores_of


class FixedBatchBackend:
    """Gives a backend always the same number of pictures, however many are asked about.

    Args:
        backend: that takes no other number, or shall not be given another.
        batch_size: how many pictures it takes at a time.

    Attributes:
        batch_size: how many that are.
    """

    def __init__(self, backend: Backend, batch_size: int) -> None:
        self._backend = backend
        self.batch_size = batch_size

    def infer(self, batch: NDArray[Any]) -> NDArray[Any] | Inferred:
        """Scores [N, C] for a batch [N, …] of any size, with warnings where the backend gives some."""
        size = self.batch_size
        parts = [self._infer_part(batch[start : start + size]) for start in range(0, len(batch), size)]
        scores = np.concatenate([scores for scores, _ in parts])
        if all(warnings is None for _, warnings in parts):
            return scores
        return Inferred(
            scores, [warning for _, warnings in parts for warning in warnings or [None] * size][: len(batch)]
        )

    def _infer_part(self, rows: NDArray[Any]) -> tuple[NDArray[Any], list[str | None] | None]:
        asked = len(rows)
        if asked < self.batch_size:  # the last picture again, whose scores are thrown away
            rows = np.concatenate([rows, np.repeat(rows[-1:], self.batch_size - asked, axis=0)])
        answer = self._backend.infer(rows)
        scores = np.asarray(scores_of(answer))
        if len(rows) == 1 and scores.ndim == 1:  # one picture may come without its batch dimension
            scores = scores[None]
        return scores[:asked], list(answer.warnings)[:asked] if isinstance(answer, Inferred) else None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.batch_size} at a time: {self._backend!r}>"
