"""Everything in a model from a `.skops` file, looked at before anything of it is called.

skops has checked the types that it knows of. Here each object that can be reached must be of a type that `allowed.py`
lists, hide no method of its class behind an attribute, and pass the checks of its parameters and of its type.
"""

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from cvserve.predictor.backends.sklearn.checks.allowed import ALLOWED, CHECKED, LOSS_MODULES
from cvserve.predictor.backends.sklearn.checks.demands import Unchecked, Unsound, is_named, name_item, name_of, require
from cvserve.predictor.backends.sklearn.checks.parameters import check_parameters
from cvserve.predictor.backends.sklearn.checks.values import is_value, open_value
from cvserve.predictor.models.fault import ModelFault
from cvserve.texts import to_ascii

# What constructors of checked types set beside their parameters.
_SET_BY_INIT = ("C", "alpha", "class_weight", "epsilon", "estimator", "estimator_params", "nu", "radius")
# An archive may name these by another of their places.
_NEVER_MADE = ("sklearn.", "scipy.", "numpy.")
# What skops trusts, and is not let through when it is there.
_LOOKED_AT = ("sklearn.", "collections.defaultdict")
# scikit-learn makes it itself when it reads an `IsotonicRegression`; skops knows no such type.
_MADE_HERE = ("scipy.interpolate._interpolate.interp1d",)


def name_types(schema: Any) -> frozenset[str]:
    """Names of all types in the schema of an archive; nothing is made of them.

    Args:
        schema: what `schema.json` says; every node names its type.
    """
    found = set[str]()
    todo = [schema]
    while todo:
        node = todo.pop()
        if isinstance(node, dict):
            found.add(f"{node.get('__module__')}.{node.get('__class__')}")
            todo.extend(node.values())
        elif isinstance(node, list):
            todo.extend(node)
    return frozenset(found)


def find_unlisted(names: Collection[str]) -> set[str]:
    """Types that skops trusts by itself and nobody has looked at: those of scikit-learn, and `defaultdict`.

    Args:
        names: of all types in an archive.
    """
    return {name for name in names if name.startswith(_LOOKED_AT) and not _is_listed(name)}


def refuse_types(names: Collection[str], why: str = "holds types that may be harmful: ") -> ModelFault:
    """The error for types that need trust, with the options that give it."""
    options = " ".join(f"--trust-type {to_ascii(name)}" for name in names)
    listed = ", ".join(map(to_ascii, names))
    return ModelFault(f"{why}{listed}. If you made it, or trust whoever did, add: {options}")


def check_contents(model: Any, trusted: Collection[str], archived: Collection[str]) -> None:
    """Check every object in a model.

    Args:
        model: just read; nothing of it was called.
        trusted: names of types that the user trusts: objects of these are not looked at, but what they hold is.
        archived: names of all types in its archive. What else a trusted object holds was made by its own code, which
            was trusted with that: XGBoost's `Booster` has a pointer of `ctypes`.

    Raises:
        ModelFault: a type is not listed, or what an object holds would lead compiled code out of its memory.
    """
    parts = list(_walk(model, trusted, archived))
    unlisted = {name for name, _ in parts if not _is_listed(name) and name not in trusted}
    if unlisted:
        raise refuse_types(sorted(unlisted))
    # Estimators give no attribute a default in their class: what has the name of something there would hide it.
    taken = {kind: frozenset(dir(kind)) for kind in {type(part) for _, part in parts}}
    for name, part in parts:
        if name not in trusted and not is_named(part):
            _check_part(name, part, taken[type(part)], trusted)


def _is_listed(name: str) -> bool:
    return name in ALLOWED or name.startswith(LOSS_MODULES)


def _walk(model: Any, trusted: Collection[str], archived: Collection[str]) -> Iterator[tuple[str, Any]]:
    """Each object that is no plain value, once, with the name of its type; of a function, its own name."""
    seen: dict[int, Any] = {}
    todo = [(model, False)]
    while todo:
        item, is_in_trusted = todo.pop()
        if id(item) in seen:
            continue
        seen[id(item)] = item  # kept, so that no other object gets its address
        try:
            if is_value(item):
                todo.extend((value, is_in_trusted) for value in open_value(item))
                continue
        except Unsound:
            raise _contradicts(name_of(type(item))) from None
        name = name_item(item)
        if isinstance(item, np.ufunc) or name in _MADE_HERE:
            continue  # skops allows ufuncs of NumPy and SciPy by name, and they check what they are given
        is_made = is_in_trusted and name not in archived and not is_named(item) and not name.startswith(_NEVER_MADE)
        if not is_made:
            yield name, item
        if not is_named(item):
            held = [*(item.values() if isinstance(item, dict) else ()), *getattr(item, "__dict__", {}).values()]
            todo.extend((value, is_made or name in trusted) for value in held)


def _check_part(name: str, part: Any, taken: Collection[str], trusted: Collection[str]) -> None:
    own = getattr(part, "__dict__", {})
    check = CHECKED.get(name)
    try:
        require(not any(key in taken for key in own))
        check_parameters(part, trusted)
        if check is not None and not _is_untrained(part, own):
            check(part)
    except Unchecked as kind:
        raise refuse_types([name], f"holds a model {kind}, which cannot be checked: ") from None
    except AttributeError:
        title = name.rpartition(".")[2]
        raise ModelFault(f"holds a {title} that is not whole; save it again, or copy it again.") from None
    except (Unsound, TypeError, ValueError, KeyError, IndexError):
        raise _contradicts(name) from None


def _is_untrained(part: Any, own: dict[str, Any]) -> bool:
    """Whether it has nothing but parameters, as the `estimator` of a search, and refuses to answer for that reason."""
    names = getattr(type(part), "_get_param_names", None)
    if names is None or not own.keys() <= {*names(), *_SET_BY_INIT}:
        return False
    try:
        check_is_fitted(part)
    except NotFittedError:
        return True
    return False


def _contradicts(name: str) -> ModelFault:
    title = name.rpartition(".")[2]
    return ModelFault(
        f"holds a {title} that points outside of itself: its parts contradict each other, so it is damaged or forged; "
        "get the file again from where it was made."
    )
