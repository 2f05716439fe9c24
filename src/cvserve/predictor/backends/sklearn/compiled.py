"""scikit-learn estimators that run as ONNX: compiled once, compared, kept, and found again.

What is found in the cache needs neither skl2onnx nor scikit-learn: a start takes a fraction of the time and memory.
It is found by what the outcome depends on: the hash of the model file, its `[input]`, and versions.
"""

import contextlib
import hashlib
import importlib.util
import json
import logging
import platform
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from typing import Any

from numpy.typing import NDArray

from cvserve.errors import ModelLoadError
from cvserve.predictor.backends.probe.model import make_model
from cvserve.predictor.backends.sklearn.cache import read_cached, write_cached
from cvserve.predictor.contract import Backend, LoadedModel, ModelVersionWarning
from cvserve.predictor.models.config.read import ModelConfig
from cvserve.predictor.models.files.file import ModelFile
from cvserve.predictor.models.resolve import ModelFacts
from cvserve.predictor.source import ModelSource

_PACKAGES = ("cvserve", "numpy", "onnx", "onnxruntime", "scikit-learn", "skl2onnx", "skops")
_NEEDED = ("onnx", "onnxruntime", "skl2onnx")
_INSTALL = "pip install 'cvserve[onnx]'"
_AS_ONNX, _AS_ESTIMATOR = "ONNX, compiled", "scikit-learn"


@dataclass(frozen=True, slots=True)
class _Entry:
    """What is kept of a compilation beside the graph: all that the estimator said of itself.

    Attributes:
        reason: why it was not compiled; empty when it was.
        scores: kind of scores.
        warnings: texts of `ModelVersionWarning`, said again each time.
        facts: fields of `ModelFacts` that are data.
    """

    reason: str
    scores: str
    warnings: tuple[str, ...]
    facts: dict[str, Any]


def load_compiled(
    file: ModelFile,
    config: ModelConfig,
    source: ModelSource,
    load: Callable[[], ModelFacts],
) -> LoadedModel:
    """The model, run as ONNX where that gives the same answers, else by scikit-learn.

    Args:
        file: of an estimator, which somebody vouched for where that is needed.
        config: its `model.toml`.
        source: says whether it must be compiled, and which types it may hold.
        load: reads the estimator.

    Raises:
        ModelLoadError: `load` or `make_model` refuses it; or it cannot be compiled and that is required.
    """
    is_required = source.compile == "require"
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        if is_required:
            raise _not_compiled(file, f"{' and '.join(missing)} cannot be imported: run {_INSTALL}")
        return _note_runtime(make_model(load(), config, file), f"{_AS_ESTIMATOR}; with {_INSTALL} it may run as ONNX")
    key = _key(file, config, source.trust_types)
    found = _read_entry(key)
    if found is not None and not found[0].reason:
        model = _make_from_entry(*found, config, file)
        if model is not None:
            return model
    if found is not None and is_required and found[0].reason:
        raise _not_compiled(file, found[0].reason)
    return _load_and_compile(file, config, load, key, found[0].reason if found else "", is_required=is_required)


def _load_and_compile(
    file: ModelFile, config: ModelConfig, load: Callable[[], ModelFacts], key: str, reason: str, *, is_required: bool
) -> LoadedModel:
    """Load the estimator and, unless it is known already why it cannot be, compile it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        facts = load()
    texts = [str(entry.message) for entry in caught if issubclass(entry.category, ModelVersionWarning)]
    _warn_of_versions(texts)
    model = make_model(facts, config, file)
    backend: Backend | None = None
    if not reason:
        backend, reason = _compile(model, facts, texts, key)
    if backend is not None:
        return _note_runtime(replace(model, backend=backend), _AS_ONNX)
    if is_required:
        raise _not_compiled(file, reason)
    logging.getLogger("cvserve").warning("'%s' is run by scikit-learn and not as ONNX: %s", file.path.name, reason)
    return _note_runtime(model, f"{_AS_ESTIMATOR}: {reason}")


def _compile(model: LoadedModel, facts: ModelFacts, texts: list[str], key: str) -> tuple[Backend | None, str]:
    """The backend, or why there is none; either is kept."""
    from cvserve.predictor.backends.sklearn.compile import compile_model  # over a second of imports

    made = compile_model(model, facts)
    data: dict[str, Any] = {"format": facts.format, "features": facts.features, "labels": facts.labels}
    data |= {"input": facts.input, "defaults": facts.defaults, "guessed": facts.guessed, "extra": facts.extra}
    head = json.dumps(asdict(_Entry(made.reason, made.scores, tuple(texts), data)))
    write_cached(key, head.encode("ascii") + b"\n" + made.graph)
    if made.reason:
        return None, made.reason
    return _open_graph(made.graph, made.scores), ""


def _open_graph(graph: bytes, scores: str) -> Backend:
    from cvserve.predictor.backends.sklearn.compiled_backend import open_compiled  # loads ONNX Runtime

    return open_compiled(graph, scores)


def _read_entry(key: str) -> tuple[_Entry, bytes] | None:
    payload = read_cached(key)
    if payload is None:
        return None
    head, _, graph = payload.partition(b"\n")
    try:
        return _Entry(**json.loads(head)), graph
    except (ValueError, TypeError):  # whole, but written by another state of this very file
        return None


def _make_from_entry(entry: _Entry, graph: bytes, config: ModelConfig, file: ModelFile) -> LoadedModel | None:
    """The model without its estimator; None when the graph does not run, however that came about."""
    try:
        backend = _open_graph(graph, entry.scores)
    except Exception:  # ONNX Runtime has a dozen kinds of errors; what cannot be used is made again
        return None

    def make_backend(_batch: NDArray[Any], _wanted: str | None) -> tuple[Backend, str]:
        return backend, entry.scores

    facts = ModelFacts(connect=make_backend, **{**entry.facts, "labels": tuple(entry.facts["labels"])})
    _warn_of_versions(entry.warnings)
    return _note_runtime(make_model(facts, config, file), _AS_ONNX)


def _key(file: ModelFile, config: ModelConfig, trust_types: Sequence[str]) -> str:
    """Name of the cache's file: a hash of all that decides what is in it."""
    said = {key: value for key, value in config.values.items() if key.startswith(("input.", "output."))}
    parts = [_versions(), platform.machine(), file.code_sha256, file.parts, file.kind.key, said, sorted(trust_types)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode("ascii")).hexdigest() + ".onnx"


def _versions() -> dict[str, str]:
    versions = dict.fromkeys(_PACKAGES, "")
    for name in _PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):  # the same module from a distribution of another name
            versions[name] = metadata.version(name)
    return versions


def _warn_of_versions(texts: Sequence[str]) -> None:
    for text in texts:
        warnings.warn(text, ModelVersionWarning, stacklevel=2)


def _note_runtime(model: LoadedModel, runs_as: str) -> LoadedModel:
    return replace(model, origins={**model.origins, "runs as": (runs_as, "default")})


def _not_compiled(file: ModelFile, reason: str) -> ModelLoadError:
    return ModelLoadError(f"'{file.path.name}' cannot be compiled to ONNX: {reason}; or drop --compile require.")
