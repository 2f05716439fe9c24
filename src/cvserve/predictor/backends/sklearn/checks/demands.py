"""What checks of a model's parts ask of single values: an integer in a range, an array of a type and shape."""

import inspect
from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

# The sides of an array; None: any length.
Shape = tuple[int | None, ...]


class Unsound(Exception):
    """The parts of an object contradict each other, so that compiled code would leave its memory."""


class Unchecked(Exception):
    """An object may be sound, and nobody knows how to tell; the text says which kind it is: "with sparse rows"."""


def require(holds: Any) -> None:
    """Go on if it is true.

    Raises:
        Unsound: it is not.
    """
    if not holds:
        raise Unsound


def require_known(holds: Any, kind: str) -> None:
    """Go on if it is true.

    Args:
        holds: whether it is of a kind that is checked.
        kind: what it is otherwise, e.g. "with sparse rows".

    Raises:
        Unchecked: it is not.
    """
    if not holds:
        raise Unchecked(kind)


def require_integer(value: Any, low: int, high: int | None = None) -> int:
    """The integer, which is in low…high.

    Raises:
        Unsound: it is not, or no integer at all.
    """
    require(type(value) is int or isinstance(value, np.integer))
    require(low <= value and (high is None or value <= high))
    return int(value)


def require_array(value: Any, kinds: DTypeLike | Collection[DTypeLike], shape: Shape) -> NDArray[Any]:
    """The array, which is of one of these types and has this shape.

    Raises:
        Unsound: it does not, or is no array.
    """
    types = kinds if isinstance(kinds, (tuple, list)) else (kinds,)
    require(type(value) is np.ndarray and value.dtype in [np.dtype(kind) for kind in types])
    require(value.ndim == len(shape))
    require(all(wanted in (None, side) for wanted, side in zip(shape, value.shape, strict=True)))
    array: NDArray[Any] = value
    return array


def require_classes(part: Any) -> int:
    """How many classes a classifier knows; they stand in one row.

    Raises:
        Unsound: there are none.
    """
    require(type(part.classes_) is np.ndarray and part.classes_.ndim == 1 and part.classes_.size > 0)
    return int(part.classes_.size)


def name_of(kind: type) -> str:
    """Module and name of a type, e.g. `sklearn.svm._classes.SVC`."""
    return f"{kind.__module__}.{kind.__qualname__}"


def is_named(item: Any) -> bool:
    """Whether it is a class or a function, which a file only names."""
    return isinstance(item, type) or inspect.isroutine(item)


def name_item(item: Any) -> str:
    """What trust in it is given to: the name of its type; of a class or a function, its own."""
    return name_of(item if is_named(item) else type(item))
