"""An ONNX session as a backend: from its output to scores [N, C]."""

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvserve.predictor.backends.fixed_batch import FixedBatchBackend
from cvserve.predictor.backends.onnx.input import GraphInput, check_values, format_shape
from cvserve.predictor.backends.onnx.output import check_places, flatten_scores
from cvserve.predictor.backends.onnx.runtime import make_run_options
from cvserve.predictor.backends.probe.model import describe_failure
from cvserve.predictor.contract import Backend
from cvserve.predictor.models.fault import ModelFault
from cvserve.predictor.trial import when_given_up


class OnnxBackend:
    """A session of ONNX Runtime, asked for one of its outputs.

    Args:
        session: of ONNX Runtime.
        taken: how its input is shaped.
        output: name of the output that holds the scores.
    """

    def __init__(self, session: Any, taken: GraphInput, output: str) -> None:
        self._session = session
        self._input = taken.name
        self._has_channels = len(taken.shape) != 3
        self._output = [output]
        # A loop of any number of turns may be in the graph; this ends it.
        self._run_options = make_run_options()
        when_given_up(partial(setattr, self._run_options, "terminate", True))

    def infer(self, batch: NDArray[Any]) -> NDArray[Any]:
        """Scores [N, C], for an array as the graph takes it."""
        rows = batch if self._has_channels else batch[..., 0]
        scores: NDArray[Any] = self._session.run(self._output, {self._input: rows}, self._run_options)[0]
        return scores if scores.ndim == 2 else flatten_scores(scores, len(rows))

    def find_values(self, outputs: list[str], batch: NDArray[Any]) -> list[NDArray[Any]]:
        """What other outputs give for an array as the graph takes it."""
        rows = batch if self._has_channels else batch[..., 0]
        found: list[NDArray[Any]] = self._session.run(outputs, {self._input: rows}, self._run_options)
        return found

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._input} -> {self._output[0]}>"


def make_backend(
    session: Any, taken: GraphInput, output: str, places: list[str], batch: NDArray[Any], wanted: str | None
) -> tuple[Backend, str | None]:
    """The backend of a session, for batches of any size.

    Args:
        session: of ONNX Runtime.
        taken: what its input takes.
        output: name of the output that holds the scores.
        places: names of outputs that may be the places of the best scores.
        batch: of one prepared picture.
        wanted: kind of scores; None: seen from the answers.

    Returns:
        The backend and the kind of scores that was asked for.

    Raises:
        ModelFault: it does not fit its input, or gives no kind of scores that was asked for, or only the best of them.
    """
    _check_shape(taken, batch)
    check_values(taken, batch.size)
    bare = OnnxBackend(session, taken, output)
    backend: Backend = bare if taken.batch is None else FixedBatchBackend(bare, taken.batch)
    if places:
        _check_places(bare, places, np.repeat(batch, taken.batch or 1, axis=0))
    if wanted == "labels":
        raise ModelFault('gives scores, but its model.toml says scores = "labels"; write "probabilities" or "logits".')
    return backend, wanted


def explain_failure(_error: BaseException, batch: NDArray[Any]) -> str:
    """What to do when a graph fails; ONNX Runtime's own texts are not for users."""
    return describe_failure("correct [input], or export it for pictures of this size.", batch)


def _check_places(bare: OnnxBackend, places: list[str], batch: NDArray[Any]) -> None:
    try:
        found = bare.find_values(places, batch)
    except Exception as error:  # ONNX Runtime has a dozen kinds of errors, and its texts are not for users
        raise ModelFault(explain_failure(error, batch)) from None
    check_places(found, len(batch))


def _check_shape(taken: GraphInput, batch: NDArray[Any]) -> None:
    given = batch.shape[1:-1] if len(taken.shape) == 3 else batch.shape[1:]
    takes = taken.shape[1:]
    if len(given) != len(takes) or any(want not in (None, has) for want, has in zip(takes, given, strict=True)):
        raise ModelFault(
            f"takes pictures of shape {format_shape(takes)}, but [input] in its model.toml gives {list(given)}; "
            "correct size, mode or layout."
        )
