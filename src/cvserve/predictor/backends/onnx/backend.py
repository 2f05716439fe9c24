"""An ONNX session as a backend: from its output to scores [N, C], tried before anybody asks."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvserve.errors import ModelError, ModelLoadError
from cvserve.predictor.backends.onnx.input import InputFacts, check_values, shown
from cvserve.predictor.scores import classes_in, looks_like_probabilities

# How far the scores of a picture may be apart when it is alone and when it has company: rounding, no more.
_RELATIVE, _ABSOLUTE = 1e-3, 1e-4
_ABSOLUTE_FLOAT16 = 1e-2


class OnnxBackend:
    """A session, and how its input and output are shaped.

    Attributes:
        rows_at_once: how many pictures one run takes; None: any number.
    """

    def __init__(self, session: Any, facts: InputFacts, output: str) -> None:
        self.rows_at_once = facts.batch
        self._session = session
        self._input = facts.name
        self._has_channels = len(facts.shape) != 3
        self._output = [output]

    def infer(self, batch: NDArray[Any]) -> NDArray[Any]:
        """Scores [N, C], for an array as the graph takes it."""
        if not self._has_channels:
            batch = batch[..., 0]
        at_once = self.rows_at_once
        if at_once is None or at_once == len(batch):
            return self._run(batch)
        parts = [
            self._run_filled_up(batch[start : start + at_once], at_once) for start in range(0, len(batch), at_once)
        ]
        return np.concatenate(parts)

    def _run_filled_up(self, rows: NDArray[Any], at_once: int) -> NDArray[Any]:
        """A graph of a fixed batch, with the last picture again for those that are missing."""
        missing = at_once - len(rows)
        if missing == 0:
            return self._run(rows)
        return self._run(np.concatenate([rows, np.repeat(rows[-1:], missing, axis=0)]))[: len(rows)]

    def _run(self, rows: NDArray[Any]) -> NDArray[Any]:
        scores: NDArray[Any] = self._session.run(self._output, {self._input: rows})[0]
        # [N, C, 1, 1] and the like are what convolutions leave behind.
        return scores if scores.ndim == 2 else scores.reshape(len(rows), -1)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._input} -> {self._output[0]}>"


def connect(
    session: Any,
    facts: InputFacts,
    output: str,
    name: str,
    classes: int | None,
    probe: NDArray[Any],
    wanted: str | None,
) -> tuple[OnnxBackend, str]:
    """The backend, tried with one picture and with two: what does not fit is found now, not by the first request.

    Args:
        session: of ONNX Runtime.
        facts: of its input.
        output: name of the one that holds the scores.
        name: of the file, for error texts.
        classes: how many the graph names; None when it names none.
        probe: a batch of one prepared picture.
        wanted: kind of scores; None: seen from the answers.

    Returns:
        The backend and the kind of scores that it gives.

    Raises:
        ModelLoadError: it does not fit its input, or what it gives are no scores of classes.
    """
    _check_shape(facts, probe, name)
    check_values(facts, probe.size, name)
    backend = OnnxBackend(session, facts, output)
    ramp = np.linspace(0, 1, probe.size, dtype=np.float32).reshape(probe.shape)
    both = np.concatenate([probe, (probe * ramp + ramp).astype(probe.dtype)])
    try:
        alone = np.concatenate([backend.infer(both[:1]), backend.infer(both[1:])]).astype(np.float64)
    except Exception:  # as above
        raise ModelLoadError(
            f"'{name}' fails on a grey picture of shape {list(probe.shape[1:])}; check [input] in its model.toml, and "
            "that it was exported for pictures of this size."
        ) from None
    _check_scores(alone, classes, wanted, name)
    if not _same_in_company(backend, both, alone):
        if facts.batch is not None:
            raise ModelLoadError(
                f"'{name}' takes {facts.batch} pictures at a time and mixes them: the same picture gets other scores "
                "in other company; export it with a free batch or a batch of 1."
            )
        backend.rows_at_once = 1
    if wanted == "labels":
        raise ModelLoadError(
            f'\'{name}\' gives scores, but its model.toml says scores = "labels"; write "probabilities" or "logits".'
        )
    return backend, wanted or ("probabilities" if looks_like_probabilities(alone) else "logits")


def _check_shape(facts: InputFacts, probe: NDArray[Any], name: str) -> None:
    given = probe.shape[1:-1] if len(facts.shape) == 3 else probe.shape[1:]
    takes = facts.shape[1:]
    if len(given) != len(takes) or any(want not in (None, has) for want, has in zip(takes, given, strict=True)):
        raise ModelLoadError(
            f"'{name}' takes pictures of shape {shown(takes)}, but [input] in its model.toml gives {list(given)}; "
            "correct size, mode or layout."
        )


def _check_scores(alone: NDArray[Any], classes: int | None, kind: str | None, name: str) -> None:
    if not np.isfinite(alone[0]).all():
        raise ModelLoadError(
            f"'{name}' gives a grey picture a score that is not a finite number; check [input] in its model.toml, and "
            "the model itself."
        )
    try:
        given = classes_in(alone, kind)
    except ModelError as error:
        raise ModelLoadError(f"'{name}' cannot be served: {error}") from None
    if classes not in (None, given):
        raise ModelLoadError(f"'{name}' names {classes} classes and gives {given} scores; export it again.")


def _same_in_company(backend: OnnxBackend, both: NDArray[Any], alone: NDArray[Any]) -> bool:
    """Whether two pictures get together what each of them gets alone.

    Some graphs mix the pictures of a batch: a shape that was fixed when they were traced, values that were quantised
    over the whole batch, a soft-max over the wrong axis.
    """
    if backend.rows_at_once == 1:
        return True
    try:
        together = backend.infer(both).astype(np.float64)
    except Exception:  # a batch of two is more than it can take
        return False
    absolute = _ABSOLUTE_FLOAT16 if both.dtype == np.float16 else _ABSOLUTE
    return together.shape == alone.shape and np.allclose(together, alone, _RELATIVE, absolute, equal_nan=True)
