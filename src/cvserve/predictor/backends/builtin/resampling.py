"""Matrices that shrink or stretch a row of samples; on small arrays a product of two is the quickest resize."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


@lru_cache(maxsize=4096)
def averages(count: int, wanted: int) -> NDArray[np.float32]:
    """The matrix that shrinks ``count`` samples to ``wanted`` area averages, float32 [wanted, count]."""
    edges = np.arange(wanted + 1)[:, None] * (count / wanted)
    starts = np.arange(count)[None, :]
    overlap = np.clip(np.minimum(edges[1:], starts + 1) - np.maximum(edges[:-1], starts), 0, None)
    return np.asarray(overlap / overlap.sum(axis=1, keepdims=True), dtype=np.float32)


@lru_cache(maxsize=4096)
def between(count: int, wanted: int) -> NDArray[np.float32]:
    """The matrix that stretches ``count`` samples to ``wanted`` linearly, float32 [wanted, count]."""
    places = np.clip((np.arange(wanted) + 0.5) * (count / wanted) - 0.5, 0, count - 1)
    distance = np.abs(places[:, None] - np.arange(count)[None, :])
    return np.asarray(np.clip(1 - distance, 0, 1), dtype=np.float32)


@lru_cache(maxsize=4096)
def nearest(count: int, wanted: int) -> NDArray[np.intp]:
    """Which of ``count`` samples lies at each of ``wanted`` places, intp [wanted]."""
    return np.arange(wanted, dtype=np.intp) * count // wanted
