"""Estimators that ask other estimators by a name in the file, or build sparse matrices from their answers."""

from typing import Any

from cvserve.predictor.backends.sklearn.checks.demands import require, require_known

_ASKED = ("predict_proba", "decision_function", "predict")


def check_stacking(part: Any) -> None:
    """Check a `StackingClassifier`: it calls methods that have answers, and no others.

    Raises:
        Unsound: it would call another.
    """
    require(type(part.stack_method_) is list and all(name in _ASKED for name in part.stack_method_))


def check_one_vs_rest(part: Any) -> None:
    """Check a `OneVsRestClassifier`: with several labels a picture it would build a sparse matrix.

    Raises:
        Unchecked: it has them.
    """
    require_known(part.label_binarizer_.y_type_ in ("binary", "multiclass"), "with several labels a picture")


def check_dummy(part: Any) -> None:
    """Check a `DummyClassifier`, which may build a sparse matrix.

    Raises:
        Unchecked: it does.
    """
    require_known(not part.sparse_output_, "with sparse answers")
