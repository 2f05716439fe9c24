"""User-defined classes: `my_model.py:MaskModel` or `package.module:MaskModel`.

A `Predictor` subclass, any object with `infer`, or a PyTorch module, with its `model.toml`. The only place where a
Python file is run: whoever names a class has vouched for it, and one that a file of settings names has passed the
trust check.
"""

import inspect
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from numpy.typing import NDArray

from cvserve.errors import ModelLoadError, Unsafe
from cvserve.predictor.backends.downloads import refuse_downloads
from cvserve.predictor.backends.preparation import make_preparation
from cvserve.predictor.backends.probe.model import assemble_model, prepare_grey
from cvserve.predictor.backends.python.arguments import check_arguments
from cvserve.predictor.backends.python.backend import UserBackend, UserPreparation, set_up
from cvserve.predictor.backends.python.class_config import (
    hand_over,
    labels_of,
    name_of,
    needs_input,
    read_stated,
    variant_of,
)
from cvserve.predictor.backends.python.device import offer_device, read_device
from cvserve.predictor.backends.python.module import (
    code_folder,
    hashed_class,
    import_folder,
    importable,
    run_module,
    source_path,
)
from cvserve.predictor.backends.python.named import check_named
from cvserve.predictor.backends.python.package_version import find_package_version
from cvserve.predictor.backends.python.torch_module import describe_making, is_torch_module
from cvserve.predictor.backends.torch.module import load_module
from cvserve.predictor.contract import Backend, LoadedModel
from cvserve.predictor.models.code.trust import require_trust
from cvserve.predictor.models.config.keys import CHECKS
from cvserve.predictor.models.config.place import find_config_place
from cvserve.predictor.models.config.read import ModelConfig, read_config
from cvserve.predictor.models.fault import ModelFault, about
from cvserve.predictor.models.files.file import (
    ModelFile,
    check_sha256,
    read_model_file,
    read_weights,
    with_imports,
    with_parts,
    with_weights,
)
from cvserve.predictor.models.files.imports import is_installed
from cvserve.predictor.models.resolve import InputFacts, ModelFacts
from cvserve.predictor.scores import KINDS
from cvserve.predictor.source import ModelSource
from cvserve.predictor.steps import Steps
from cvserve.predictor.user_code import describe_error, explain_errors
from cvserve.texts import list_some

_MAX_SHOWN = 5


def load_class(where: str, name: str, source: ModelSource) -> LoadedModel:
    """Load a class, set it up and try it on a grey picture.

    Args:
        where: `my_model.py` or `package.module`.
        name: of the class, of an object, or of a function that makes one.
        source: that names the class; a class that a person names is trusted, one that a file of settings names needs
            `trust` or `sha256`, which is that of the Python file.

    Raises:
        InvalidSetting: `sha256` is no hash.
        ModelLoadError: no such file, module or class; it is no model; or a mistake in it, by file and line.
        UntrustedModel: a file of settings named it, and nobody vouched for it.
    """
    code = _read_code(where, source)
    named = f"{where}:{name}"
    model_config = read_config(find_config_place(named, code.path), source.config, named=named)
    weights_file = None if source.weights is None else read_weights(source.weights)
    file = with_parts(code, find_package_version(where, code.path))
    file = file if weights_file is None else with_weights(file, weights_file)
    folder = code_folder(where, code.path)
    title = f"{name} in {where if code.path.name == '__init__.py' else code.path.name}"
    # Whoever vouches for a hash vouches for nothing else; a class that a person names may import what it likes.
    is_strict = source.named_by_file and not source.trust
    with importable(import_folder(where, code.path)), hashed_class(where, code, is_strict=is_strict):
        with about(code), explain_errors("its import", folder):
            module = run_module(where, code)
        thing = _find(module, name, code)
        if is_strict:
            check_named(thing, name, module, code)
        with about(title):
            is_theirs = is_installed(code.path)
            _check_arguments_named(model_config, is_allowed=not (is_strict and is_theirs))
            with refuse_downloads() if is_theirs else nullcontext():
                own = _make_object(thing, file, model_config, folder, name)
                if is_torch_module(own):
                    made = describe_making(own, thing, title, model_config, folder)
                    return load_module(made, weights_file, model_config, file, source)
            if weights_file is not None:
                with explain_errors("taking its weights", folder):
                    own.weights = weights_file.path
            offer_device(own, source)
            is_fed = needs_input(own, model_config, code.path.name)
            # A fault of the config is found before `setup`, which may take minutes; labels only after it.
            fed = make_preparation(InputFacts(), model_config, file, layout=None) if is_fed else None
            with explain_errors("setup", folder):
                set_up(own)
            facts = replace(_read_facts(own, name, code, folder), title=title, **read_device(own, source))
            if weights_file is not None:
                facts = replace(facts, extra={**facts.extra, "weights": str(weights_file.path)})
            if fed is not None:
                batch = prepare_grey(fed.preparation)
                return assemble_model(facts, model_config, fed.file, fed.preparation, batch, fed.origins, own=own)
            return _make_with_preprocess(own, facts, model_config, file, folder)


def _read_code(where: str, source: ModelSource) -> ModelFile:
    """The file of a class, if somebody vouches for it."""
    code = with_imports(read_model_file(source_path(where)))
    if source.sha256 is not None:
        # Who names the class runs it on purpose: for them the hash of its file is enough.
        check_sha256(code if source.named_by_file else replace(code, imports=()), source.sha256)
    require_trust(code, trust=source.trust or not source.named_by_file, sha256=source.sha256)
    return code


def _find(module: ModuleType, name: str, source: ModelFile) -> Any:
    if hasattr(module, name):
        return getattr(module, name)
    own = [key for key, value in vars(module).items() if getattr(value, "__module__", None) == module.__name__]
    has = f"it has {list_some(own, _MAX_SHOWN)}" if own else "it defines none"
    raise ModelLoadError(f"There is no class '{name}' in '{source.path.name}'; {has}.")


def _make_object(thing: Any, file: ModelFile, config: ModelConfig, folder: Path, name: str) -> Any:
    """The object: of a class, of a function that makes one, or the thing itself. It is given its `model.toml`."""
    arguments = config.values.get("model.args", {})
    if isinstance(thing, type) or inspect.isroutine(thing):
        check_arguments(thing, config)
        with explain_errors("__init__" if isinstance(thing, type) else "its call", folder):
            if isinstance(thing, type) and issubclass(thing, Steps):
                # As `thing(**arguments)`, but with its `model.toml` before its `__init__` may ask for its labels.
                own: Any = thing.__new__(thing, **arguments)
                hand_over(own, file, config, name)
                thing.__init__(own, **arguments)
            else:
                own = thing(**arguments)
    elif arguments:
        raise ModelFault(f"is an object already; remove [model] args from {config.file_name}.")
    else:
        own = thing
    hand_over(own, file, config, name)
    if isinstance(own, Steps) and not hasattr(own, "limits"):
        raise ModelFault("has an __init__ that leaves out that of Predictor; begin it with super().__init__().")
    if not is_torch_module(own) and not callable(getattr(own, "infer", None)):
        raise ModelFault(
            "has no method infer; a model has infer(batch), which gives scores [N, classes] for an array [N, …], or is "
            "a PyTorch module."
        )
    return own


def _check_arguments_named(config: ModelConfig, *, is_allowed: bool) -> None:
    """Refuse what a folder's files say to a function of a library: its arguments may make it do anything."""
    if "model.args" in config.values and not is_allowed:
        raise Unsafe(
            f"A file of settings names a function of a library, and {config.file_name} its arguments, which nobody has "
            "vouched for; name the model yourself, by --model, or leave the arguments out."
        )


def _read_facts(own: Any, name: str, source: ModelFile, folder: Path) -> ModelFacts:
    """What the object's attributes say, some of which its `setup` may have set."""
    with explain_errors("scores", folder):
        scores = read_stated(own, "scores")
    if scores is not None and scores not in KINDS:
        raise ModelFault(f"has scores = {scores!r}; write one of {', '.join(KINDS)}.")
    with explain_errors("unknown_below", folder):
        unknown_below = read_stated(own, "unknown_below")
    if unknown_below is not None:
        unknown_below = CHECKS["output.unknown_below"]("unknown_below", unknown_below)
    with explain_errors("labels", folder):
        labels = labels_of(own, source.path.name)

    def make_backend(_batch: NDArray[Any], wanted: str | None) -> tuple[Backend, str | None]:
        return UserBackend(own), wanted or scores

    return ModelFacts(
        format="python",
        connect=make_backend,
        labels=labels,
        extra={"class": name},
        name=name_of(own),
        variant=variant_of(name),
        describe_failure=lambda error, _batch: f"failed in infer: {describe_error(error, folder)}",
        unknown_below=unknown_below,
    )


def _make_with_preprocess(
    own: Any, facts: ModelFacts, config: ModelConfig, file: ModelFile, folder: Path
) -> LoadedModel:
    """The object with its own `preprocess`, which may take any picture."""
    preparation = UserPreparation(own)
    with explain_errors("preprocess", folder):
        batch = preparation.prepare_sample()
    if "labels" in config.values:
        facts = replace(facts, labels=None)  # `model.toml` comes first, and a class is no file with a fixed order
    name = (config.values.get("name", facts.name), config.origins.get("name", "file"))
    return assemble_model(facts, config, file, preparation, batch, {"name": name}, own=own)
