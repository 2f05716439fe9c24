"""An ONNX session as a backend: from its output to scores [N, C]."""

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvserve.predictor.backends.fixed_batch import FixedBatchBackend
from cvserve.predictor.backends.onnx.input import GraphInput, check_values, format_shape
from cvserve.predictor.backends.onnx.output import check_places, flatten_scores
from cvserve.predictor.backends.onnx.runtime import make_run_options
from cvserve.predictor.backends.probe import describe_failure
from cvserve.predictor.contract import Backend
from cvserve.predictor.models.fault import ModelFault
from cvserve.predictor.scores import looks_like_probabilities
from cvserve.predictor.trial import when_given_up

# How far the scores of a picture may be apart when it is alone and when it has company: rounding, no more.
_RELATIVE, _ABSOLUTE = 1e-3, 1e-4
_ABSOLUTE_FLOAT16 = 1e-2


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
        The backend and the kind of scores that it gives; None for one number a picture, in which it cannot be seen.

    Raises:
        ModelFault: it does not fit its input, fails on the picture, or gives no kind of scores that was asked for.
    """
    _check_shape(taken, batch)
    check_values(taken, batch.size)
    bare = OnnxBackend(session, taken, output)
    backend: Backend = bare if taken.batch is None else FixedBatchBackend(bare, taken.batch)
    pictures = _add_ramp(batch)
    try:
        if places:
            whole = np.repeat(batch, taken.batch or 1, axis=0)
            check_places(bare.find_values(places, whole), len(whole))
        alone = np.concatenate([_infer(backend, pictures[:1]), _infer(backend, pictures[1:])])
    except ModelFault:
        raise
    except Exception as error:  # ONNX Runtime has a dozen kinds of errors, and its texts are not for users
        raise ModelFault(explain_failure(error, batch)) from None
    if taken.batch != 1 and not _is_same_in_company(backend, pictures, alone):
        if taken.batch is not None:
            raise ModelFault(
                f"takes {taken.batch} pictures at a time and mixes them: the same picture gets other scores in other "
                "company; export it with a free batch or a batch of 1."
            )
        backend = FixedBatchBackend(bare, 1)
    if wanted == "labels":
        raise ModelFault('gives scores, but its model.toml says scores = "labels"; write "probabilities" or "logits".')
    if wanted is None and alone.shape[1] > 1:
        wanted = "probabilities" if looks_like_probabilities(alone) else "logits"
    return backend, wanted


def explain_failure(_error: BaseException, batch: NDArray[Any]) -> str:
    """What to do when a graph fails; ONNX Runtime's own texts are not for users."""
    return describe_failure("correct [input], or export it for pictures of this size.", batch)


def _check_shape(taken: GraphInput, batch: NDArray[Any]) -> None:
    given = batch.shape[1:-1] if len(taken.shape) == 3 else batch.shape[1:]
    takes = taken.shape[1:]
    if len(given) != len(takes) or any(want not in (None, has) for want, has in zip(takes, given, strict=True)):
        raise ModelFault(
            f"takes pictures of shape {format_shape(takes)}, but [input] in its model.toml gives {list(given)}; "
            "correct size, mode or layout."
        )


def _add_ramp(batch: NDArray[Any]) -> NDArray[Any]:
    """A second picture for a batch of one: the same, brighter from one value to the next."""
    ramp = np.linspace(0, 1, batch.size, dtype=np.float32).reshape(batch.shape)
    return np.concatenate([batch, (batch * ramp + ramp).astype(batch.dtype)])


def _is_same_in_company(backend: Backend, pictures: NDArray[Any], alone: NDArray[Any]) -> bool:
    """Whether two pictures get together what each of them gets alone.

    Some graphs mix the pictures of a batch: a shape that was fixed when they were traced, values that were quantised
    over the whole batch, a soft-max over the wrong axis.
    """
    try:
        together = _infer(backend, pictures)
    except Exception:  # a batch of two is more than it can take
        return False
    absolute = _ABSOLUTE_FLOAT16 if pictures.dtype == np.float16 else _ABSOLUTE
    return together.shape == alone.shape and np.allclose(together, alone, _RELATIVE, absolute, equal_nan=True)


def _infer(backend: Backend, batch: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(backend.infer(batch), dtype=np.float64)
