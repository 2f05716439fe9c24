"""What an estimator of a `.skops` file was made with: checked whether it is trained or not.

A parameter may name a method, a file, a function to be called. So each is what scikit-learn itself would take for it;
what names a method or an attribute is of a closed set; and whatever can be called stands only in a place where it is
known who calls it, and with what. Otherwise a function would be given an array of the file's to write to, or a loss
rows of a length that it believes.
"""

import re
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
from sklearn.utils._param_validation import InvalidParameterError, validate_parameter_constraints

from cvserve.predictor.backends.sklearn.checks.demands import Unchecked, name_item, name_of, require, require_known
from cvserve.predictor.backends.sklearn.checks.values import is_value, open_value

# What may be called, and where: of which names, in an attribute of which owners.
_GAUSSIAN = (("sklearn.gaussian_process.kernels.",), "sklearn.gaussian_process.")
_UFUNC = (("numpy.ufunc",), "sklearn.preprocessing._function_transformer.")
_SCORER = (("sklearn.metrics._scorer._PassthroughScorer",), "sklearn.model_selection.")
_CALLED: dict[str, tuple[tuple[str, ...], str]] = {
    "_loss": (("sklearn._loss.loss.",), "sklearn.ensemble."),
    "f_": (("scipy.interpolate._interpolate.interp1d",), "sklearn.isotonic."),
    "func": _UFUNC,
    "inverse_func": _UFUNC,
    **dict.fromkeys(("kernel", "kernel_", "k1", "k2", "kernels"), _GAUSSIAN),
    # These are asked by `fit` and `score` alone.
    "score_func": (("sklearn.feature_selection._",), "sklearn.feature_selection."),
    **dict.fromkeys(("scorer_", "_scorer"), _SCORER),
}
_FUNCTION = "sklearn.preprocessing._function_transformer.FunctionTransformer"
_ASKED = ("auto", "predict_proba", "decision_function", "predict")
# Parameters that name a method of another estimator, which is then called.
_METHOD_NAMES = ("response_method", "stack_method")
# The attribute that a selection looks up; any other may be a method, or anything else.
_IMPORTANCE = re.compile(r"auto|((named_steps\.\w+|best_estimator_|estimator_)\.){0,4}(coef_|feature_importances_)")


def check_parameters(part: Any, trusted: Collection[str]) -> None:
    """Check an object's parameters, and all that can be called in its attributes.

    Args:
        part: trained or not.
        trusted: names of functions and types that the user trusts, wherever they stand.

    Raises:
        Unsound: it names a method that has no answers.
        Unchecked: it holds a function where none is known, or a parameter that this scikit-learn does not take.
    """
    own = {**getattr(part, "__dict__", {}), **(part if isinstance(part, dict) else {})}
    for key in _METHOD_NAMES:
        require(own.get(key, "auto") in _ASKED)
    getter = own.get("importance_getter", "auto")
    if isinstance(getter, str):
        require_known(_IMPORTANCE.fullmatch(getter), "with an importance_getter of its own")
    for key, value in own.items():
        for called in _find_called(value):
            if name_item(called) not in trusted:
                _check_called(part, key, called)
    if name_of(type(part)) == _FUNCTION and isinstance(part.func, np.ufunc):
        # `out` would be an array of the file's, which then is no longer what was checked.
        require_known(not part.kw_args, "with arguments for its function")
    _check_as_fit_does(part, own)


def _find_called(value: Any) -> Iterator[Any]:
    """What can be called in an attribute, its lists and its dictionaries; other objects are parts of their own."""
    seen: dict[int, Any] = {}
    todo = [value]
    while todo:
        item = todo.pop()
        if id(item) in seen:
            continue
        seen[id(item)] = item  # kept, so that no other object gets its address
        if is_value(item):
            todo.extend(open_value(item))
        elif callable(item):
            yield item


def _check_called(part: Any, key: Any, called: Any) -> None:
    kinds, owner = _CALLED.get(key, ((), ""))
    known = name_item(called).startswith(kinds) and name_of(type(part)).startswith(owner)
    require_known(known, "with a function where none is known")
    if isinstance(called, np.ufunc):
        # With two inputs or outputs, a second array would be taken for one to write to.
        require_known(called.nin == called.nout == 1, "with a function of several arrays")


def _check_as_fit_does(part: Any, own: dict[Any, Any]) -> None:
    """What `fit` would refuse was never trained with it; by another version, maybe."""
    constraints = getattr(type(part), "_parameter_constraints", {})
    for key in constraints.keys() & own.keys():
        try:
            validate_parameter_constraints(constraints, {key: own[key]}, "")
        except InvalidParameterError:
            raise Unchecked(f"whose parameter {key} is nothing that this scikit-learn takes") from None
