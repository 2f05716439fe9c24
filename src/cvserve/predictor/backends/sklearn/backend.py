"""A scikit-learn classifier as a backend: from its methods to scores [N, C]."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvserve.predictor.backends.probe.model import describe_failure
from cvserve.predictor.backends.sklearn.forest import direct_forest
from cvserve.predictor.models.fault import ModelFault
from cvserve.texts import escape_unprintable, to_one_line

_MOST_CAUSE_CHARACTERS = 200
# Which method gives which kind of scores, the best first.
_METHODS = {
    "probabilities": "predict_proba",
    "logits": "decision_function",
    "sigmoid": "decision_function",
    "labels": "predict",
}


class EstimatorBackend:
    """One classifier and the method that is asked.

    Attributes:
        estimator: as it was loaded.
        scores: `probabilities`, `logits`, `sigmoid` or `labels`.
    """

    def __init__(self, estimator: Any, scores: str) -> None:
        # A picture's values have no names, also where an estimator was trained with a table that had. Those of
        # scikit-learn are told to forget them when they are loaded; LightGBM's cannot.
        warnings.filterwarnings("ignore", message="X does not have valid feature names", category=UserWarning)
        self.estimator = estimator
        self.scores = scores
        direct = direct_forest(estimator) if scores == "probabilities" else None
        self._ask: Callable[[NDArray[Any]], Any] = direct or getattr(estimator, _METHODS[scores])

    def infer(self, batch: NDArray[Any]) -> NDArray[Any]:
        """Scores [N, C] in the order of `classes_`, for rows of pixels [N, F]."""
        answer = np.asarray(self._ask(batch))
        if self.scores == "labels":
            return one_hot(answer, np.asarray(self.estimator.classes_))
        if self.scores == "logits" and answer.ndim == 1:
            # For two classes there is one number, of which the sigmoid is the second one's probability; the
            # soft-max over (0, x) is the same.
            return np.stack([np.zeros_like(answer), answer], axis=1)
        if self.scores == "sigmoid" and answer.ndim == 1:
            return np.stack([-answer, answer], axis=1)
        return answer

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {type(self.estimator).__name__}.{_METHODS[self.scores]}>"


def make_backend(
    estimator: Any, batch: NDArray[Any], wanted: str | None, n_labels: int | None = None
) -> tuple[EstimatorBackend, str]:
    """The backend that asks the best method that gives one score for each class.

    Args:
        estimator: a trained classifier.
        batch: of one prepared picture, with which the methods are tried.
        wanted: kind of scores to use, None for the best that there is.
        n_labels: of one that answers yes or no for each of several labels, how many; None: its classes are the labels.

    Returns:
        The backend and the kind of scores that it gives.

    Raises:
        ModelFault: the classifier cannot give `wanted`, or fails on the picture.
    """
    n_scores = n_labels or len(estimator.classes_)
    title = type(estimator).__name__
    failure: Exception | None = None
    odd: dict[str, tuple[int, ...]] = {}
    for kind in (wanted,) if wanted else _list_kinds(estimator, batch, n_scores):
        if not hasattr(estimator, _METHODS[kind]):
            continue
        try:
            backend = EstimatorBackend(estimator, kind)
            shape = backend.infer(batch).shape
        except Exception as error:  # any model may fail in any way
            failure = error
            continue
        # One column a pair of classes (SVC "ovo") is no score of a class.
        if shape == (1, n_scores):
            return backend, kind
        odd[kind] = shape
    if failure is not None:
        cause = escape_unprintable(to_one_line(str(failure), _MOST_CAUSE_CHARACTERS))
        reason = f"correct [input], or save the {title} whole and with this version of scikit-learn"
        raise ModelFault(describe_failure(f"{reason}: {type(failure).__name__}{cause and f': {cause}'}", batch))
    raise _explain_kinds(estimator, n_scores, wanted, odd)


def count_labels(estimator: Any, features: int) -> int | None:
    """How many labels it answers yes or no for, each by itself, while its `classes_` are no and yes.

    XGBoost's classifier is such a one when it was trained with a table of zeros and ones; it looks like one for two
    classes until it is asked.

    Args:
        estimator: a trained classifier.
        features: values a picture.

    Returns:
        None for all others.
    """
    if np.asarray(estimator.classes_).tolist() != [0, 1] or not hasattr(estimator, "predict_proba"):
        return None
    row = np.zeros((1, features), np.float32)
    try:
        shapes = {np.shape(estimator.predict(row)), np.shape(estimator.predict_proba(row))}
    except Exception:  # it may fail in any way, and is asked again when it is tried, where that is said
        return None
    shape = shapes.pop()
    return shape[1] if not shapes and len(shape) == 2 and shape[1] > 1 else None


def _explain_kinds(estimator: Any, n_scores: int, wanted: str | None, odd: dict[str, tuple[int, ...]]) -> ModelFault:
    """What it gives is no score for each class, `odd` by kind; the kinds that were not tried are offered."""
    title = type(estimator).__name__
    untried = [f'"{kind}"' for kind, method in _METHODS.items() if hasattr(estimator, method) and kind not in odd]
    if wanted is not None and wanted not in odd and untried:
        gives = f'holds a {title}, which gives no scores = "{wanted}" for {n_scores} classes'
        return ModelFault(f"{gives}; it has {', '.join(untried)}: correct [output] in its model.toml.")
    counts = [f'{np.prod(shape, dtype=int)} scores ("{kind}") for' for kind, shape in odd.items()] or ["no scores of"]
    offer = f"write scores = {' or '.join(untried)} below [output] in its model.toml, or " if untried else ""
    return ModelFault(
        f"holds a {title}, which gives {', '.join(counts)} {n_scores} classes; {offer}train one whose predict_proba "
        "gives one score for each class."
    )


def _list_kinds(estimator: Any, batch: NDArray[Any], n_scores: int) -> tuple[str, ...]:
    """Kinds of scores to be tried, the best first: of one label a picture, or of several, each by itself."""
    try:
        has_several = np.shape(estimator.predict(batch)) == (1, n_scores) != (1, 1)
    except Exception:  # it may fail in any way, and is asked again below, where that is said
        has_several = False
    return ("probabilities", "sigmoid") if has_several else ("probabilities", "logits", "labels")


def one_hot(predicted: NDArray[Any], classes: NDArray[Any]) -> NDArray[Any]:
    """1 in the column of the predicted class, else 0.

    Args:
        predicted: one class a picture, [N].
        classes: all of them, in the order of their indices.
    """
    hits: NDArray[np.bool_] = np.reshape(predicted, (-1, 1)) == classes[None, :]
    return hits.astype(np.float32)
