"""A compiled estimator as a backend: the scores that the estimator itself would give."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvserve.predictor.backends.onnx.runtime import open_session

_FLOATS = ("tensor(float)", "tensor(double)")


class CompiledBackend:
    """The session of a graph that skl2onnx made.

    Args:
        session: of ONNX Runtime.
        scores: `probabilities`, `logits` or `sigmoid`.
    """

    def __init__(self, session: Any, scores: str) -> None:
        (pixels,) = session.get_inputs()
        *_, output = (entry for entry in session.get_outputs() if entry.type in _FLOATS)
        self._session = session
        self._input = pixels.name
        self._dtype = np.float64 if pixels.type == "tensor(double)" else np.float32
        self._output = [output.name]
        self._scores = scores

    def infer(self, batch: NDArray[Any]) -> NDArray[Any]:
        """Scores [N, C] for rows of pixels [N, F]."""
        rows = batch.astype(self._dtype, copy=False)
        scores: NDArray[Any] = self._session.run(self._output, {self._input: rows})[0]
        if self._scores == "logits" and scores.shape[1] < 3:
            # One number for two classes, which skl2onnx may write down twice, with both signs; as `EstimatorBackend`.
            margin = scores[:, -1]
            return np.stack([np.zeros_like(margin), margin], axis=1)
        return scores

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._scores}>"


def open_compiled(graph: bytes, scores: str) -> CompiledBackend:
    """The backend of a graph that skl2onnx made.

    Args:
        graph: serialised `ModelProto`.
        scores: `probabilities`, `logits` or `sigmoid`.

    Raises:
        Exception: of ONNX Runtime's own kinds, when it cannot run the graph.
    """
    return CompiledBackend(open_session(graph), scores)
