"""From what a model gives for a batch to probabilities, and from a row of them to a `Prediction`'s numbers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvserve.errors import ModelError
from cvserve.predictor.prediction import ClassScore

MAX_LABEL_CHARACTERS = 1_024
KINDS = ("probabilities", "logits", "labels")


def checked(scores: Any, rows: int, classes: int | None) -> NDArray[np.float64]:
    """The model's answer as finite numbers, float64 [rows, classes].

    Raises:
        ModelError: another number of rows or classes, or a value that is not a finite number.
    """
    try:
        values = np.asarray(scores, dtype=np.float64)
    except (TypeError, ValueError):
        raise ModelError("The model answered something that is not an array of numbers.") from None
    if values.ndim == 1 and rows == 1 and (classes is None or values.shape[0] == classes):
        values = values[None, :]
    if values.ndim != 2 or values.shape[0] != rows or values.shape[1] < 1:
        shape = list(values.shape)
        raise ModelError(f"The model answered shape {shape} for {rows} pictures; [{rows}, classes] was expected.")
    if classes is not None and values.shape[1] != classes:
        raise ModelError(f"The model answered {values.shape[1]} scores for {classes} labels.")
    if not np.isfinite(values).all():
        raise ModelError("The model answered a score that is not a finite number.")
    return values


def looks_like_probabilities(values: NDArray[np.float64]) -> bool:
    """Whether all rows are ≥ 0 and sum to 1 (within 1e-3, for float16 models)."""
    return bool((values >= 0).all() and (np.abs(values.sum(axis=1) - 1) < 1e-3).all())


def soft_max(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """exp(x) / Σ exp(x) for each row, shifted by the row's maximum so that nothing overflows."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    total: NDArray[np.float64] = shifted.sum(axis=1, keepdims=True)
    return np.asarray(shifted / total, dtype=np.float64)


def best(row: NDArray[np.float64], labels: tuple[str, ...], top_k: int) -> tuple[ClassScore, ...]:
    """The `top_k` best classes, best first; equal scores in the order of their index."""
    # A label as long as a novel would be in every answer and every row.
    order = np.argsort(-row, kind="stable")[:top_k].tolist()
    return tuple(
        ClassScore(index, labels[index][:MAX_LABEL_CHARACTERS], round(float(row[index]), 6)) for index in order
    )
