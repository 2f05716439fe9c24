"""Classifiers of scikit-learn, from `.skops`, `.joblib` and `.pkl`.

The only place where a pickle is loaded. `loading.py` has asked for trust before it comes here.
"""

import io
import pickle
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import joblib
import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, is_classifier, is_regressor
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.pipeline import Pipeline

from cvserve.errors import ModelLoadError
from cvserve.predictor.backends.sklearn.backend import count_labels, make_backend
from cvserve.predictor.backends.sklearn.own_modules import importable_beside
from cvserve.predictor.backends.sklearn.parts import keep_to_answers
from cvserve.predictor.backends.sklearn.unreadable import explain_unreadable
from cvserve.predictor.contract import Backend, ModelVersionWarning
from cvserve.predictor.models.config.keys import MAX_SIDE_PX
from cvserve.predictor.models.fault import ModelFault
from cvserve.predictor.models.files.file import ModelFile
from cvserve.predictor.models.resolve import ModelFacts
from cvserve.predictor.source import ModelSource
from cvserve.texts import escape_unprintable

# What is served of packages whose boosters know no classes.
_CLASSIFIERS = {"xgboost": "XGBClassifier", "lightgbm": "LGBMClassifier", "catboost": "CatBoostClassifier"}
_MOST_FEATURES = 3 * MAX_SIDE_PX**2


def load_skops(file: ModelFile, source: ModelSource) -> ModelFacts:
    """A classifier from a skops archive; unknown types are refused before anything is made of them.

    Raises:
        ModelFault: damaged, too large, of unknown types, no classifier.
    """
    from cvserve.predictor.backends.sklearn.skops_read import read_skops  # a slow import

    return _read_facts(_read(file, lambda: read_skops(file, source.trust_types)))


def load_pickle(file: ModelFile, source: ModelSource) -> ModelFacts:
    """A classifier from a pickle.

    Raises:
        ModelFault: damaged, needs what is not installed, no classifier.
    """
    with importable_beside(file, is_strict=not source.trust):
        return _read_facts(_read(file, lambda: pickle.loads(file.data)))  # noqa: S301 - somebody vouched for it


def load_joblib(file: ModelFile, source: ModelSource) -> ModelFacts:
    """A classifier from a joblib file, compressed or not.

    Raises:
        ModelFault: damaged, needs what is not installed, no classifier.
    """
    with importable_beside(file, is_strict=not source.trust):
        return _read_facts(_read(file, lambda: joblib.load(io.BytesIO(file.data))))


def _read(file: ModelFile, read: Callable[[], Any]) -> Any:
    """What is in the file, with one warning of our own for any number of the library's."""
    caught = list[warnings.WarningMessage]()
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model = read()
    except ModelLoadError:
        raise
    except Exception as error:  # unpickling raises whatever the file makes it raise
        raise explain_unreadable(file, error) from None
    saved_with = _other_version(caught)
    if saved_with is not None:
        warnings.warn(
            f"'{file.path.name}' was saved with scikit-learn {saved_with} and is read by {sklearn.__version__}: "
            "its scores may differ; train or save it again with this version.",
            ModelVersionWarning,
            stacklevel=2,
        )
    return model


def _other_version(caught: list[warnings.WarningMessage]) -> str | None:
    for entry in caught:
        if isinstance(entry.message, InconsistentVersionWarning):
            return str(entry.message.original_sklearn_version)
    return None


def _read_facts(model: Any) -> ModelFacts:
    """What a classifier says of itself, and how it becomes a backend."""
    with _explain_missing_parts():
        keep_to_answers(model)
        _check_classifier(model)
        features = _count_features(model)
        if features is not None and features > _MOST_FEATURES:
            raise ModelFault(f"takes {features:,} values a picture; at most {_MOST_FEATURES:,} are served.")
        n_labels = None if features is None else count_labels(model, features)
        return ModelFacts(
            format="sklearn",
            connect=partial(_make_backend, model, n_labels),
            features=features,
            labels=tuple(
                _label(value) for value in (range(n_labels) if n_labels else np.asarray(model.classes_).tolist())
            ),
            # Without a count of features it may be somebody's own class, which takes another layout.
            input={} if features is None else {"layout": "flat"},
            defaults={"layout": "flat"},
            extra={"estimator": _title(model)},
        )


def _count_features(model: Any) -> int | None:
    """Values a picture; None: it does not say. CatBoost says 0 for a model that was loaded, and has all the names."""
    n_features = getattr(model, "n_features_in_", None)
    if not n_features and isinstance(names := getattr(model, "feature_names_", None), list):
        n_features = len(names)
    return int(n_features) if isinstance(n_features, (int, np.integer)) and n_features > 0 else None


def _make_backend(
    model: Any, n_labels: int | None, batch: NDArray[Any], wanted: str | None
) -> tuple[Backend, str | None]:
    with _explain_missing_parts():
        return make_backend(model, batch, wanted, n_labels)


@contextmanager
def _explain_missing_parts() -> Iterator[None]:
    """An estimator with attributes missing or of a wrong kind fails at the first look, in any way."""
    try:
        yield
    except ModelLoadError:
        raise
    except Exception:
        raise ModelFault(
            "holds a model that is not whole; save it again, or copy it again from where it was made."
        ) from None


def _check_classifier(model: Any) -> None:
    title = type(model).__name__
    if isinstance(model, type) or not callable(getattr(model, "predict", None)):
        raise ModelFault(f"holds a {title}, not a model; save a trained classifier itself.")
    if isinstance(model, BaseEstimator) and is_regressor(model):
        raise ModelFault(f"holds a {title}, a regressor: it predicts numbers; save a classifier.")
    try:
        classes = model.classes_
    except Exception:  # of a pipeline or a search it is a property, which may fail in any way
        if isinstance(model, BaseEstimator) and is_classifier(model):
            raise ModelFault(f"holds a {title} that is not trained; call fit before you save it.") from None
        whole = _CLASSIFIERS.get(type(model).__module__.partition(".")[0])
        way = f"; save the fitted {whole} by joblib.dump" if whole else ""
        raise ModelFault(f"holds a {title}, not a classifier: it has no classes_{way}.") from None
    if isinstance(classes, list) and classes and np.ndim(classes[0]) > 0:
        raise ModelFault(
            f"holds a {title} that answers {len(classes)} questions at once; save a model for one of them."
        )
    if np.ndim(classes) != 1 or len(classes) < 1:
        raise ModelFault(f"holds a {title} that knows no classes; train it again and save it.")


def _title(model: Any) -> str:
    steps = [type(step).__name__ for _, step in model.steps] if isinstance(model, Pipeline) else []
    return f"{type(model).__name__}: {', '.join(steps)}" if steps else type(model).__name__


def _label(value: Any) -> str:
    """Text of a class, safe to print: it may come from a stranger's file."""
    if isinstance(value, float) and value.is_integer():
        # Classes are often floats only because the column in a table was one.
        return str(int(value))
    return escape_unprintable(str(value))
