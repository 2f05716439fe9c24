"""Classes of somebody's own: `my_model.py:MaskModel` or `package.module:MaskModel`.

A `Predictor` subclass, any object with `infer`, or a PyTorch module. The only place where a Python file is run:
whoever names a class has vouched for it, and one that a file of settings names has passed the gate of `trust.py`.
"""

import inspect
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from cvserve.errors import ModelLoadError
from cvserve.predictor.backends.python.arguments import check_arguments
from cvserve.predictor.backends.python.backend import OwnBackend, OwnPreparation, sample_of
from cvserve.predictor.backends.python.beside import config_from_loader, has_input, labels_of, name_of
from cvserve.predictor.backends.python.module import code_folder, importable, run_module, source_path
from cvserve.predictor.contract import LoadedModel
from cvserve.predictor.models.file import ModelFile, check_sha256, read_model_file, read_weights, with_weights
from cvserve.predictor.models.resolve import ModelFacts, settle
from cvserve.predictor.models.toml_read import ModelConfig, read_config
from cvserve.predictor.models.trust import require_trust
from cvserve.predictor.prediction import ModelInfo
from cvserve.predictor.scores import KINDS
from cvserve.predictor.steps import Steps
from cvserve.predictor.user_code import blamed
from cvserve.texts import list_some

_MAX_SHOWN = 5


def load_class(
    where: str,
    name: str,
    *,
    config: str | os.PathLike[str] | None,
    trust: bool,
    sha256: str | None,
    weights: str | os.PathLike[str] | None,
) -> LoadedModel:
    """Load a class, set it up and try it on a grey picture.

    Args:
        where: `my_model.py` or `package.module`.
        name: of the class, of an object, or of a function that makes one.
        config: another `model.toml` than the one of the file's stem.
        trust: the class was named on purpose.
        sha256: hash that the Python file must have; it also counts as trust.
        weights: file for the class.

    Raises:
        InvalidSetting: `sha256` is no hash.
        ModelLoadError: no such file, module or class; it is no model; or a mistake in it, by file and line.
        UntrustedModel: a file of settings named it, and nobody vouched for it.
    """
    source = read_model_file(source_path(where))
    if sha256 is not None:
        check_sha256(source, sha256)
    require_trust(source, trust=trust, sha256=sha256)
    said = read_config(source.path, config)
    weights_file = None if weights is None else read_weights(weights)
    model = source if weights_file is None else with_weights(source, weights_file)
    folder = code_folder(where, source.path)
    with importable(folder):
        with config_from_loader(source.path):
            with blamed(f"'{source.path.name}'", "its import", folder):
                module = run_module(where, source)
            thing = _named(module, name, source)
            own = _made(thing, f"{name} in {source.path.name}", said, folder)
        if _is_torch_module(own):
            from cvserve.predictor.backends.torch.module import module_facts  # torch itself is loaded by now

            facts = module_facts(own, name, source, weights_file, folder, is_trained=not isinstance(thing, type))
            return settle(facts, said, model)
        weights_path = None if weights_file is None else weights_file.path
        if weights_path is not None:
            with blamed(f"{name} in {source.path.name}", "taking its weights", folder):
                own.weights = weights_path
        return _loaded(own, name, model, weights_path, said, folder)


def _named(module: Any, name: str, source: ModelFile) -> Any:
    if hasattr(module, name):
        return getattr(module, name)
    own = [key for key, value in vars(module).items() if getattr(value, "__module__", None) == module.__name__]
    has = f"it has {list_some(own, _MAX_SHOWN)}" if own else "it defines none"
    raise ModelLoadError(f"There is no class '{name}' in '{source.path.name}'; {has}.")


def _made(thing: Any, title: str, config: ModelConfig, folder: Path) -> Any:
    """The object: of a class, of a function that makes one, or the thing itself."""
    arguments = config.values.get("model.args", {})
    is_maker = isinstance(thing, type) or inspect.isroutine(thing)
    if is_maker:
        check_arguments(thing, arguments, title, config.file_name)
        with blamed(title, "__init__" if isinstance(thing, type) else "its call", folder):
            own = thing(**arguments)
    elif arguments:
        raise ModelLoadError(f"{title} is an object already; remove [model] args from {config.file_name}.")
    else:
        own = thing
    if isinstance(own, Steps) and not hasattr(own, "limits"):
        raise ModelLoadError(f"The __init__ of {title} leaves out that of Predictor; begin it with super().__init__().")
    if not _is_torch_module(own) and not callable(getattr(own, "infer", None)):
        raise ModelLoadError(
            f"{title} has no method infer; a model has infer(batch), which gives scores [N, classes] for an array "
            "[N, …], or is a PyTorch module."
        )
    return own


def _is_torch_module(own: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(own, torch.nn.Module)


def _loaded(
    own: Any, name: str, file: ModelFile, weights: Path | None, config: ModelConfig, folder: Path
) -> LoadedModel:
    """The object with its own `preprocess`, or with `[input]` in its place."""
    title = f"{name} in {file.path.name}"
    facts = _facts(own, name, file, title, folder)
    if weights is not None:
        facts.extra["weights"] = str(weights)
    if has_input(own, config, file.path.name):
        return settle(facts, config, file)
    return _with_own_preparation(own, facts, config, file, folder)


def _facts(own: Any, name: str, file: ModelFile, title: str, folder: Path) -> ModelFacts:
    """What the object's attributes say."""
    scores = getattr(own, "scores", None)
    if scores is not None and scores not in KINDS:
        raise ModelLoadError(f"scores of {title} is {scores!r}; write one of {', '.join(KINDS)}.")
    labels = labels_of(own, file.path.name)
    backend = OwnBackend(own, title, folder)
    return ModelFacts(
        format="python",
        connect=partial(_connected, backend, scores, labels, file.path.name),
        labels=labels,
        extra={"class": name},
        name=name_of(own),
    )


def _connected(
    backend: OwnBackend,
    scores: str | None,
    labels: Sequence[str] | None,
    source: str,
    probe: NDArray[Any],
    wanted: str | None,
) -> tuple[OwnBackend, str | None]:
    backend.set_up()
    kind = wanted or scores
    backend.try_with(probe, kind)
    backend.check_labels(labels, source)
    return backend, kind


def _with_own_preparation(
    own: Any, facts: ModelFacts, config: ModelConfig, file: ModelFile, folder: Path
) -> LoadedModel:
    title = f"{facts.extra['class']} in {file.path.name}"
    preparation, backend = OwnPreparation(own), OwnBackend(own, title, folder)
    backend.set_up()
    said = config.values
    scores = said.get("output.scores", getattr(own, "scores", None))
    backend.try_with(sample_of(preparation, title, folder), scores)
    name, labels = said.get("name", facts.name), said.get("labels", facts.labels)
    backend.check_labels(labels, config.labels_source if "labels" in said else file.path.name)
    origins: dict[str, tuple[Any, str]] = {"name": (name, config.origins.get("name", "file"))}
    origins |= {key: (value, "file") for key, value in facts.extra.items()}
    if labels is not None:
        origins["labels"] = (list(labels), config.origins.get("labels", "file"))
    if scores is not None:
        origins["output.scores"] = (scores, config.origins.get("output.scores", "file"))
    info = ModelInfo(name, file.sha256, facts.format)
    return LoadedModel(info, preparation, backend, labels, scores, origins)
