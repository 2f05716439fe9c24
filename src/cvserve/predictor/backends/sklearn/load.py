"""Classifiers of scikit-learn, from `.skops`, `.joblib` and `.pkl`.

The only place where a pickle is loaded. `loading.py` has asked for trust before it comes here.
"""

import io
import pickle
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, is_classifier, is_regressor
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.pipeline import Pipeline

from cvserve.errors import ModelLoadError
from cvserve.predictor.backends.sklearn.backend import EstimatorBackend, connect
from cvserve.predictor.backends.sklearn.parts import use_one_thread
from cvserve.predictor.contract import ModelVersionWarning
from cvserve.predictor.models.file import ModelFile
from cvserve.predictor.models.pickle_scan import pickle_globals
from cvserve.predictor.models.resolve import ModelFacts
from cvserve.texts import escape_unprintable


def load_skops(file: ModelFile, trust_types: Sequence[str]) -> ModelFacts:
    """A classifier from a skops archive; unknown types are refused before anything is made of them.

    Raises:
        ModelLoadError: damaged, too large, of unknown types, no classifier.
    """
    from cvserve.predictor.backends.sklearn.skops_read import read_skops  # a slow import

    return _facts(_read(file, lambda: read_skops(file, trust_types)), file)


def load_pickle(file: ModelFile, _trust_types: Sequence[str]) -> ModelFacts:
    """A classifier from a pickle.

    Raises:
        ModelLoadError: damaged, needs what is not installed, no classifier.
    """
    return _facts(_read(file, lambda: pickle.loads(file.data)), file)  # noqa: S301 - somebody vouched for it


def load_joblib(file: ModelFile, _trust_types: Sequence[str]) -> ModelFacts:
    """A classifier from a joblib file, compressed or not.

    Raises:
        ModelLoadError: as `load_pickle`.
    """
    import joblib  # only its own files need it

    return _facts(_read(file, lambda: joblib.load(io.BytesIO(file.data))), file)


def _read(file: ModelFile, read: Callable[[], Any]) -> Any:
    """What is in the file, with one warning of our own for any number of the library's."""
    name, caught = file.path.name, list[warnings.WarningMessage]()
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model = read()
    except ModelLoadError:
        raise
    except Exception as error:  # unpickling raises whatever the file makes it raise
        raise _unreadable(file, error, _other_version(caught)) from None
    saved_with = _other_version(caught)
    if saved_with is not None:
        warnings.warn(
            f"'{name}' was saved with scikit-learn {saved_with} and is read by {sklearn.__version__}: "
            "its scores may differ; train or save it again with this version.",
            ModelVersionWarning,
            stacklevel=2,
        )
    return model


def _unreadable(file: ModelFile, error: Exception, saved_with: str | None) -> ModelLoadError:
    name = file.path.name
    if isinstance(error, ModuleNotFoundError):
        return ModelLoadError(
            f"'{name}' needs the module '{error.name}', which is not installed here; install it, or save the "
            "model without it."
        )
    own = [name for name in pickle_globals(file.data).names if name.startswith("__main__.")]
    if isinstance(error, AttributeError) and own:
        return ModelLoadError(
            f"'{name}' needs {', '.join(own)}, written in a notebook or script, and a pickle holds no code; "
            "move it into a module that can be imported here and save the model again."
        )
    version = f" (saved with scikit-learn {saved_with}, read by {sklearn.__version__})" if saved_with else ""
    return ModelLoadError(
        f"'{name}' cannot be read as {file.kind.title}{version}: it is damaged, cut off, or made by another "
        "version of its libraries; save or copy it again."
    )


def _other_version(caught: list[warnings.WarningMessage]) -> str | None:
    for entry in caught:
        if isinstance(entry.message, InconsistentVersionWarning):
            return str(entry.message.original_sklearn_version)
    return None


def _facts(model: Any, file: ModelFile) -> ModelFacts:
    name = file.path.name
    with _as_damage(name):
        _check_classifier(model, name)
        use_one_thread(model)
        n_features = getattr(model, "n_features_in_", None)
        features = int(n_features) if isinstance(n_features, (int, np.integer)) and n_features > 0 else None
        return ModelFacts(
            format="sklearn",
            connect=partial(_connected, model, name),
            features=features,
            labels=tuple(_label(value) for value in np.asarray(model.classes_).tolist()),
            # Without a count of features it may be somebody's own class, which takes another layout.
            input={} if features is None else {"layout": "flat"},
            defaults={"layout": "flat"},
            extra={"estimator": _title(model)},
        )


def _connected(model: Any, name: str, probe: NDArray[Any], wanted: str | None) -> tuple[EstimatorBackend, str | None]:
    with _as_damage(name):
        return connect(model, name, probe, wanted)


@contextmanager
def _as_damage(name: str) -> Iterator[None]:
    """An estimator with attributes missing or of a wrong kind fails at the first look, in any way."""
    try:
        yield
    except ModelLoadError:
        raise
    except Exception:
        raise ModelLoadError(
            f"The model in '{name}' is not whole; save it again, or copy it again from where it was made."
        ) from None


def _check_classifier(model: Any, name: str) -> None:
    title = type(model).__name__
    if isinstance(model, type) or not callable(getattr(model, "predict", None)):
        raise ModelLoadError(f"'{name}' holds a {title}, not a model; save a trained classifier itself.")
    if isinstance(model, BaseEstimator) and is_regressor(model):
        raise ModelLoadError(f"'{name}' holds a {title}, a regressor: it predicts numbers; save a classifier.")
    try:
        classes = model.classes_
    except Exception:  # of a pipeline or a search it is a property, which may fail in any way
        if isinstance(model, BaseEstimator) and is_classifier(model):
            text = f"The {title} in '{name}' is not trained; call fit before you save it."
            raise ModelLoadError(text) from None
        raise ModelLoadError(f"'{name}' holds a {title}, not a classifier: it has no classes_.") from None
    if isinstance(classes, list) and classes and np.ndim(classes[0]) > 0:
        text = f"The {title} in '{name}' answers {len(classes)} questions at once; save a model for one of them."
        raise ModelLoadError(text)
    if np.ndim(classes) != 1 or len(classes) < 1:
        raise ModelLoadError(f"The {title} in '{name}' knows no classes; train it again and save it.")


def _title(model: Any) -> str:
    steps = [type(step).__name__ for _, step in model.steps] if isinstance(model, Pipeline) else []
    return f"{type(model).__name__}: {', '.join(steps)}" if steps else type(model).__name__


def _label(value: Any) -> str:
    """Text of a class, safe to print: it may come from a stranger's file."""
    if isinstance(value, float) and value.is_integer():
        # Classes are often floats only because the column in a table was one.
        return str(int(value))
    return escape_unprintable(str(value))
