"""Everything inside a loaded estimator: steps of pipelines, trees of forests, and what they hold."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

_CONTAINERS = (list, tuple, set, frozenset)


def parts(model: Any) -> Iterator[Any]:
    """`model` and every object of scikit-learn's kind that can be reached from it, each once."""
    seen: set[int] = set()
    todo = [model]
    while todo:
        item = todo.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, Mapping):
            todo.extend(item.values())
        elif isinstance(item, _CONTAINERS):
            todo.extend(item)
        elif isinstance(item, np.ndarray):
            if item.dtype.hasobject and item.dtype.names is None:
                todo.extend(item.ravel().tolist())
        elif isinstance(item, BaseEstimator) or type(item).__module__.startswith("sklearn."):
            yield item
            todo.extend(getattr(item, "__dict__", {}).values())


def use_one_thread(model: Any) -> None:
    """Set `n_jobs` of all parts to 1: the server runs one model a core already."""
    for part in parts(model):
        if "n_jobs" in getattr(part, "__dict__", {}):
            part.n_jobs = 1
