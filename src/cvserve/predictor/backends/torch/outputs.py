"""Which of the things that a PyTorch module gives are its scores."""

from collections.abc import Mapping, Sequence
from typing import Any

from cvserve.errors import ModelError
from cvserve.predictor.models.fault import ModelFault
from cvserve.predictor.models.outputs import TOP_K, SeveralOutputs, missing_output
from cvserve.texts import list_some

# What classifiers call their scores, in the order in which they are looked for
_SCORE_NAMES = ("logits", "scores", "probabilities", "probs", "out", "output")
_MAX_SHOWN = 5


def find_scores(given: Any, tensor: type, rows: int, use: str | int | None = None) -> Any:
    """The tensor of scores: the only one, the one with a known name, or the only one of [rows, classes].

    Args:
        given: by the module: a tensor, or several by name or in a row.
        tensor: the class.
        rows: pictures in the batch.
        use: name or index of the one to take; None: not said.

    Raises:
        SeveralOutputs: two or more could be it.
        ModelFault: there is none of this name, or it is the best scores alone, sorted.
        ModelError: there is no tensor.
    """
    if isinstance(given, tensor) and use is None:
        return given
    named = _list_tensors(given, tensor)
    if use is not None:
        found = [one for place, (name, one) in enumerate(named.items()) if use in (name, place)]
        if not found:
            raise missing_output(use, _sizes_of(named))
        return found[0]
    known = next((named[name] for name in _SCORE_NAMES if name in named), None)
    if known is not None:
        return known
    fits = {name: one for name, one in named.items() if one.is_floating_point() and _has_a_row_each(one, rows)}
    if any(not one.is_floating_point() and _is_sorted_beside(one, fits) for one in named.values()):
        raise ModelFault(TOP_K)
    if len(fits) > 1:
        raise SeveralOutputs(_sizes_of(fits))
    if fits:
        return next(iter(fits.values()))
    return _only(given, named)


def _list_tensors(given: Any, tensor: type) -> dict[str | int, Any]:
    """Tensors by name; those of a tuple by index, unless it has names."""
    if isinstance(given, tensor):
        return {0: given}
    if isinstance(given, Mapping):
        items: Any = [(str(name), value) for name, value in given.items()]
    elif hasattr(given, "_fields"):
        items = zip(given._fields, given, strict=True)
    elif isinstance(given, Sequence) and not isinstance(given, str):
        items = enumerate(given)
    else:
        items = [("logits", getattr(given, "logits", None))]
    return {name: value for name, value in items if isinstance(value, tensor)}


def _has_a_row_each(one: Any, rows: int) -> bool:
    """Whether it is [rows, classes], or [rows, classes, 1, 1] as convolutions leave it behind."""
    return bool(one.ndim > 1 and one.shape[0] == rows and one.numel() == one.shape[0] * one.shape[1])


def _is_sorted_beside(places: Any, fits: Mapping[str | int, Any]) -> bool:
    return any(places.shape == one.shape and one.shape[1] > 1 for one in fits.values())


def _only(given: Any, named: Mapping[str | int, Any]) -> Any:
    """The first of what is no [rows, classes]; what is wrong with it is said where its shape is checked."""
    if isinstance(given, Sequence) and 0 in named:
        return named[0]
    if len(named) == 1:
        return next(iter(named.values()))
    if isinstance(given, Mapping):
        names = list_some(map(str, named), _MAX_SHOWN) or "no tensors"
        raise ModelError(f"It gives {names} by name; call the scores 'logits', or give them alone.")
    raise ModelError(f"It gives a {type(given).__name__}; a classifier gives a tensor of scores [N, classes].")


def _sizes_of(named: Mapping[str | int, Any]) -> dict[str | int, tuple[int, ...]]:
    return {name: tuple(one.shape[1:]) for name, one in named.items()}
