"""From what a model gives for a batch to probabilities, and from a row of them to the best classes."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvserve.errors import ModelError
from cvserve.predictor.prediction import ClassScore

MAX_LABEL_CHARACTERS = 1_024
# "sigmoid" is logits as well, of labels of which a picture may have several: each is turned into a score by itself.
KINDS = ("probabilities", "logits", "sigmoid", "labels")
_UNCLEAR = (
    "The scores are from 0 to 1 and do not sum to 1, so that it cannot be seen what they are, and soft-max is applied; "
    'say it in the class: scores = "probabilities" (taken as they are), "logits" (soft-max) or "sigmoid" (of each).'
)
# A network that ends in one neuron is of two classes, and its number is that of the second one.
_PAIR = 2


def to_rows(scores: Any, rows: int, classes: int | None) -> NDArray[np.float64]:
    """The model's answer as float64 [rows, classes]; [rows, 1] also for two classes.

    Args:
        scores: anything that NumPy makes an array of. A batch of one picture may come without its batch dimension.
        rows: pictures in the batch.
        classes: that are expected; None: any number.

    Raises:
        ModelError: not numbers, or another number of rows or classes.
    """
    try:
        values = np.asarray(scores, dtype=np.float64)
    except (TypeError, ValueError):
        raise ModelError("The model answered something that is not an array of numbers.") from None
    if values.ndim == 1 and rows == 1 and values.shape[0] > 1 and classes in (None, values.shape[0]):
        values = values[None, :]
    if values.ndim != 2 or values.shape[0] != rows or values.shape[1] < 1:
        shape = list(values.shape)
        raise ModelError(f"The model answered shape {shape} for {rows} pictures; [{rows}, classes] was expected.")
    if classes not in (None, values.shape[1]) and (values.shape[1], classes) != (1, _PAIR):
        raise ModelError(f"The model answered {values.shape[1]} scores for {classes} labels.")
    return values


def validate_scores(scores: Any, rows: int, classes: int | None) -> NDArray[np.float64]:
    """The model's answer as finite numbers, float64 [rows, classes]; [rows, 1] also for two classes.

    Args:
        scores: anything that NumPy makes an array of.
        rows: pictures in the batch.
        classes: that are expected; None: any number.

    Raises:
        ModelError: not numbers, another number of rows or classes, or a value that is not finite.
    """
    values = to_rows(scores, rows, classes)
    if not np.isfinite(values).all():
        raise ModelError("The model answered a score that is not a finite number.")
    return values


def to_probabilities(
    scores: Any, rows: int, labels: Sequence[str] | None, kind: str | None
) -> tuple[NDArray[np.float64], Sequence[str], str]:
    """Probabilities [rows, classes] from what the model gave, and what its first answer shows of the model.

    Args:
        scores: the model's answer.
        rows: pictures in the batch.
        labels: of the classes; None: their numbers.
        kind: one of `KINDS`; None: rows that are ≥ 0 and sum to 1 are probabilities, anything else logits.

    Returns:
        The probabilities, and the labels and the kind of scores as they are known from now on.

    Raises:
        ModelError: the answer is no finite score for each picture and label.
    """
    values = validate_scores(scores, rows, len(labels) if labels else None)
    if labels is None or len(labels) == _PAIR:
        values = _add_first_class(values, kind)
    if labels is None:
        labels = tuple(str(index) for index in range(values.shape[1]))
    if kind is None:
        kind = "probabilities" if looks_like_probabilities(values) else "logits"
        if kind == "logits" and np.ptp(values) and ((values >= 0) & (values <= 1)).all():
            warnings.warn(_UNCLEAR, stacklevel=2)  # a model that is loaded from a file has been asked about before
    return apply_kind(values, kind), labels, kind


def apply_kind(values: NDArray[np.float64], kind: str) -> NDArray[np.float64]:
    """Scores 0…1 [N, C] from what a model gives: soft-max for `logits`, `sigmoid` by its name, else as they are."""
    if kind == "logits":
        return soft_max(values)
    return sigmoid(values) if kind == "sigmoid" else values


def count_classes(values: NDArray[np.float64], kind: str | None) -> int:
    """How many classes scores [N, C] speak of: C, and two where there is one column of a known kind.

    Args:
        values: as `validate_scores` gives them.
        kind: one of `KINDS`; None: not known.

    Raises:
        ModelError: for one column it is not known whether it is probabilities or logits, which cannot be seen from
            it; or it cannot be of that kind.
    """
    return int(_add_first_class(values, kind).shape[1])


def _add_first_class(values: NDArray[np.float64], kind: str | None) -> NDArray[np.float64]:
    """The scores of two classes, [N, 2], from those of the second one, [N, 1]; more columns stay as they are."""
    if values.shape[1] > 1:
        return values
    if kind == "logits":  # the sigmoid of x is the soft-max over (0, x)
        return np.concatenate([np.zeros_like(values), values], axis=1)
    if kind == "sigmoid":  # and that of -x is the rest to 1
        return np.concatenate([-values, values], axis=1)
    if kind != "probabilities":
        raise ModelError(
            "It gives one number for a picture, that of the second of two classes; say in its model.toml what it "
            'is: [output] scores = "probabilities" (after a sigmoid) or "logits" (before it).'
        )
    if ((values < 0) | (values > 1)).any():
        raise ModelError("It gives a number outside of 0 to 1 as a probability; perhaps it is a logit.")
    return np.concatenate([1 - values, values], axis=1)


def looks_like_probabilities(values: NDArray[np.float64]) -> bool:
    """Whether all rows are ≥ 0 and sum to 1 (within 1e-3, for float16 models)."""
    return bool((values >= 0).all() and (np.abs(values.sum(axis=1) - 1) < 1e-3).all())


def soft_max(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """exp(x) / Σ exp(x) for each row, shifted by the row's maximum so that nothing overflows."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    total: NDArray[np.float64] = shifted.sum(axis=1, keepdims=True)
    return np.asarray(shifted / total, dtype=np.float64)


def sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 / (1 + exp(-x)) for each value, by tanh, which does not overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * logits)), dtype=np.float64)


def rank_classes(values: NDArray[np.float64], labels: tuple[str, ...], top_k: int) -> list[tuple[ClassScore, ...]]:
    """For each row its `top_k` best classes, best first; equal scores in the order of their index.

    Args:
        values: probabilities, float64 [N, C].
        labels: of the C classes.
        top_k: from 1; at most all classes are given.
    """
    # One call of NumPy sorts all rows. The few numbers that are kept of each are rounded in Python, which has
    # done it before NumPy begins: half to even, as NumPy rounds.
    order = (-values).argsort(axis=1, kind="stable")[:, :top_k]
    return [
        tuple(
            [
                # A label as long as a novel would be in every answer and every row.
                ClassScore(index, labels[index][:MAX_LABEL_CHARACTERS], round(score * 1e6) / 1e6)
                for index, score in zip(best.tolist(), row[best].tolist(), strict=True)
            ]
        )
        for best, row in zip(order, values, strict=True)
    ]
