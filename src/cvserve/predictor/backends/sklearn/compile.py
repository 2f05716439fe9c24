"""From a scikit-learn estimator to an ONNX graph that answers the same, or the reason why there is none."""

import itertools
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

from cvserve.predictor.backends.onnx.graph import cut_zip_map
from cvserve.predictor.backends.onnx.runtime import VERSION
from cvserve.predictor.backends.sklearn.backend import EstimatorBackend
from cvserve.predictor.backends.sklearn.compiled_backend import open_compiled
from cvserve.predictor.backends.sklearn.compiled_check import describe_difference
from cvserve.predictor.contract import LoadedModel
from cvserve.predictor.models.library import import_library
from cvserve.predictor.models.resolve import ModelFacts

_OTHERWISE = ", or use --compile never"
skl2onnx = import_library("skl2onnx", "onnx", _OTHERWISE)
_types = import_library("skl2onnx.common.data_types", "onnx", _OTHERWISE)

# float32 is what ONNX Runtime is fastest with; some sums need the other.
_TYPES = (_types.FloatTensorType, _types.DoubleTensorType)
# Not every converter has every option; one that it does not have is an error.
_RAW: tuple[dict[str, bool], ...] = ({"raw_scores": True}, {})
_WAYS: dict[str, tuple[dict[str, bool], ...]] = {"probabilities": ({},), "logits": _RAW, "sigmoid": _RAW}


class Compiled(NamedTuple):
    """What came of it.

    Attributes:
        graph: serialised `ModelProto`; empty when there is none.
        reason: why there is none, a sentence's second half; empty when there is one.
        scores: kind of scores, `probabilities`, `logits`, `sigmoid` or `labels`.
    """

    graph: bytes
    reason: str
    scores: str


def compile_model(model: LoadedModel, facts: ModelFacts) -> Compiled:
    """Convert an estimator and compare what both say of the same pictures.

    Args:
        model: with the estimator as its backend.
        facts: what the estimator says of itself.
    """
    backend = model.backend
    title = facts.extra["estimator"]
    if not isinstance(backend, EstimatorBackend):
        return Compiled(b"", f"{title} is asked one by one, since it mixes the pictures of a batch", model.scores or "")
    if facts.features is None:
        return Compiled(b"", "it does not say how many values it takes", backend.scores)
    if backend.scores == "labels":
        return Compiled(b"", f"{title} gives only a class and no scores", backend.scores)
    reason = f"skl2onnx {skl2onnx.__version__} does not convert {title}"
    compared = False
    for graph in _graphs(backend, facts.features):
        try:
            candidate = open_compiled(graph, backend.scores)
            differs = describe_difference(backend, candidate, model.preparation)
        except Exception:  # a graph that ONNX Runtime does not run is one of the ways in which this can fail
            if not compared:
                reason = f"ONNX Runtime {VERSION} does not run what skl2onnx makes of {title}"
            continue
        if not differs:
            return Compiled(graph, "", backend.scores)
        compared, reason = True, f"{title} {differs}"
    return Compiled(b"", reason, backend.scores)


def _graphs(backend: EstimatorBackend, features: int) -> Iterator[bytes]:
    """Conversions, the best first."""
    estimator = backend.estimator
    for values, as_scores, as_array in itertools.product(_TYPES, _WAYS[backend.scores], ({"zipmap": False}, {})):
        model = _convert(estimator, values([None, features]), {**as_scores, **as_array})
        if model is not None:
            cut_zip_map(model.graph)
            yield model.SerializeToString()


def _convert(estimator: Any, values: Any, options: dict[str, bool]) -> Any:
    """The `ModelProto`, or None: no converter for it or for this type, an option that it does not have."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what skl2onnx itself should not use any more
            return skl2onnx.to_onnx(estimator, initial_types=[("pixels", values)], options={id(estimator): options})
    except Exception:  # a converter may fail in any way
        return None
