"""What the numbers of a model are: probabilities, logits, or a sigmoid of each label. Seen from them, or asked for."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvserve.predictor.contract import Backend, scores_of
from cvserve.predictor.models.fault import ModelFault
from cvserve.predictor.scores import looks_like_probabilities, to_rows

# Room for float16 at both ends of 0…1
_ROUNDING = 1e-3
# A picture this many times as bright: logits leave 0…1 then, and what came out of a sigmoid never does.
_GLARING = 1000.0
INDEPENDENT = "each by itself: their scores do not sum to 1"


def settle_kind(kind: str | None, answers: NDArray[np.float64], backend: Backend, sample: NDArray[Any]) -> str | None:
    """The kind of scores that a model gives.

    Args:
        kind: as it was said; None: not said.
        answers: [pictures, C].
        backend: asked once more where the answers could be of two kinds.
        sample: a prepared picture, as a batch of one.

    Returns:
        One of `scores.KINDS`; None for one number a picture, in which it cannot be seen.

    Raises:
        ModelFault: the answers are not of the kind that was said, or could be of several.
    """
    is_in_range = bool(((answers >= -_ROUNDING) & (answers <= 1 + _ROUNDING)).all())
    if kind in ("probabilities", "labels") and not is_in_range and answers.shape[1] > 1:
        worst = answers.ravel()[np.abs(answers - 0.5).argmax()]
        raise ModelFault(
            f'gives {worst:.4g} as one of its scores = "{kind}", which are from 0 to 1; correct [output] scores: '
            '"logits" (soft-max is applied) or "sigmoid" (of several labels, each by itself).'
        )
    if kind is not None or answers.shape[1] == 1:
        return kind
    if looks_like_probabilities(answers):
        return "probabilities"
    # Where all scores are the same, as those of a network whose last layer is still zero, there is nothing to spoil.
    if is_in_range and np.ptp(answers) and _stays_in_range(backend, sample):
        raise ModelFault(
            "gives scores from 0 to 1 that do not sum to 1, and it cannot be seen what they are; say in its "
            'model.toml: [output] scores = "probabilities" (taken as they are, as after a sigmoid), "logits" (soft-max '
            'is applied) or "sigmoid" (a sigmoid of each is taken)'
        )
    return "logits"


def is_independent(kind: str | None, answers: NDArray[np.float64]) -> bool:
    """Whether a picture may have several of the labels, as far as answers show it."""
    return kind == "sigmoid" or (
        kind == "probabilities" and answers.shape[1] > 1 and not looks_like_probabilities(answers)
    )


def _stays_in_range(backend: Backend, sample: NDArray[Any]) -> bool:
    """Whether even a glaring picture gets scores from 0 to 1; so it is taken to be where the model cannot be asked."""
    if sample.dtype.kind != "f":
        return True
    largest = float(np.finfo(sample.dtype).max)
    glaring = np.clip(sample.astype(np.float64) * _GLARING, -largest, largest).astype(sample.dtype)
    try:
        with np.errstate(all="ignore"):
            values = to_rows(scores_of(backend.infer(glaring)), 1, None)
    except (Exception, SystemExit):  # any model may fail in any way on what is no picture
        return True
    return not ((values < -_ROUNDING) | (values > 1 + _ROUNDING)).any()
