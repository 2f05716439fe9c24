"""A model loaded as tests say it: a path and keywords in place of a `ModelSource`."""

from typing import Any

from cvserve.predictor import loading
from cvserve.predictor.contract import LoadedModel
from cvserve.predictor.source import AnyPath, ModelSource


def load_model(path: AnyPath | None, *, trust_types: tuple[str, ...] | list[str] = (), **options: Any) -> LoadedModel:
    """Load a model file, a class or the built-in model; `options` are those of `ModelSource`."""
    return loading.load_model(ModelSource(path, trust_types=tuple(trust_types), **options))
