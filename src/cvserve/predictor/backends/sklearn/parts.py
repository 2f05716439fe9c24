"""Everything inside a loaded estimator: steps of pipelines, trees of forests, and what they hold."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer

# `memory` is a folder of pickles, of which only `fit` makes use. What is no parameter of all of scikit-learn's kind is
# set in its own classes alone.
_QUIET = {"n_jobs": 1, "_n_threads": 1, "verbose": 0, "memory": None}
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


def keep_to_answers(model: Any) -> None:
    """Set all parts to do nothing but answer: one thread (the server runs one model a core), no words, no files."""
    for part in parts(model):
        own = getattr(part, "__dict__", {})
        for key in _QUIET.keys() & own.keys():
            if key == "n_jobs" or type(part).__module__.startswith("sklearn."):
                own[key] = _QUIET[key]
        if isinstance(part, ColumnTransformer):
            _pick_by_index(own)
        if type(part).__module__.startswith("sklearn."):
            # Of a table's columns: scikit-learn would warn of each array that it has none.
            own.pop("feature_names_in_", None)


def _pick_by_index(own: dict[str, Any]) -> None:
    """Let a trained `ColumnTransformer` find by their places the columns that it was told by name.

    Args:
        own: its attributes; they are left as they are where they are not those of a trained one.
    """
    places = own.get("_transformer_to_input_indices")
    trained = own.get("transformers_")
    if not isinstance(places, dict) or not isinstance(trained, list):
        return
    try:
        own["transformers_"] = [(name, part, _places(columns, places[name])) for name, part, columns in trained]
    except (KeyError, TypeError, ValueError, IndexError):  # damaged: it says so itself when it is asked
        return


def _places(columns: Any, indices: Any) -> Any:
    if isinstance(columns, str):
        return indices[0]  # one column, which is given as a row and not as a table
    names = (columns.start, columns.stop) if isinstance(columns, slice) else np.ravel(columns).tolist()
    return indices if any(isinstance(name, str) for name in names) else columns
