"""From the path of a model file to a `LoadedModel`: one loader a format, and never a fallback to another."""

import importlib
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from cvserve.errors import InvalidSetting
from cvserve.model_name import TIMM, TIMM_FUNCTION, class_reference
from cvserve.predictor.backends.device_check import check_device_name, check_placement
from cvserve.predictor.backends.probe.model import make_model
from cvserve.predictor.contract import LoadedModel
from cvserve.predictor.models.advice.incomplete import explain_incomplete
from cvserve.predictor.models.advice.unserved import explain_unserved
from cvserve.predictor.models.code.transforms import TRANSFORM, run_on_purpose
from cvserve.predictor.models.code.trust import require_trust
from cvserve.predictor.models.config.place import find_config_place
from cvserve.predictor.models.config.read import ModelConfig, read_config
from cvserve.predictor.models.fault import ModelFault, about
from cvserve.predictor.models.files.file import ModelFile, check_sha256, compare_sha256, with_imports
from cvserve.predictor.models.files.folder import ModelFolder, read_model, refuse_saved_model
from cvserve.predictor.models.formats.kinds import PYTHON, SAFETENSORS, TORCH
from cvserve.predictor.models.formats.plugins import find_plugin
from cvserve.predictor.models.library import import_library
from cvserve.predictor.models.resolve import ModelFacts
from cvserve.predictor.source import ModelSource
from cvserve.predictor.trial import limit_trials

# What each loader imports is heavy, so it is imported when a file of its format comes.
# A new format is a folder in `backends/`, its kind in `models/kinds.py`, and one line here.
_LOADERS = {
    "skops": "cvserve.predictor.backends.sklearn.load:load_skops",
    "joblib": "cvserve.predictor.backends.sklearn.load:load_joblib",
    "pickle": "cvserve.predictor.backends.sklearn.load:load_pickle",
    "onnx": "cvserve.predictor.backends.onnx.load:load_onnx",
    "torchscript": "cvserve.predictor.backends.torch.load:load_torchscript",
    "torch-export": "cvserve.predictor.backends.torch.load:load_export",
}
# Folders bring their own preparation, so that these make the whole model; with each, the extra that it needs.
_FOLDER_LOADERS = {
    "huggingface": ("cvserve.predictor.backends.huggingface.load:load_folder", "hf"),
    "timm-folder": ("cvserve.predictor.backends.timm.folder:load_timm_folder", TIMM),
}
_PLUGIN_LOADER = "cvserve.predictor.backends.plugin:load_plugin"
_TIMM_LOADER = "cvserve.predictor.backends.timm.load"
# What skl2onnx knows.
_COMPILED = ("skops", "joblib", "pickle")
COMPILE_MODES = ("auto", "never", "require")
_Loader = Callable[[ModelFile, ModelSource], ModelFacts]
_TimmLoader = Callable[[str, ModelSource], LoadedModel]
_FolderLoader = Callable[[ModelFolder, ModelConfig, ModelSource], LoadedModel]


def load_model(source: ModelSource) -> LoadedModel:
    """Load a model file, a class, or the built-in model for one digit.

    Raises:
        InvalidSetting: `sha256` is no hash, `compile` or `device` none of its words, or there are `weights` without
            a class.
        ModelLoadError: no such file, not a model, it has another hash than `sha256`, it does not fit its input or
            labels, or it cannot compute where `device` says.
        UntrustedModel: a pickle that nobody vouched for.
        Unsafe: others may replace the file or the record of trust.
    """
    if source.compile not in COMPILE_MODES:
        raise InvalidSetting(f"compile is '{source.compile}'; use one of {', '.join(COMPILE_MODES)}.")
    check_device_name(source.device)
    with about("The built-in model" if source.path is None else f"'{os.path.basename(os.path.abspath(source.path))}'"):
        return check_placement(
            _load_builtin(source) if source.path is None else _load_named(source.path, source), source
        )


def _load_builtin(source: ModelSource) -> LoadedModel:
    from cvserve.predictor.backends.builtin.load import load_builtin  # heavy as every loader

    model = load_builtin()
    if source.sha256 is not None:
        compare_sha256(model.info.sha256, source.sha256)
    return model


def _load_named(path: str | os.PathLike[str], source: ModelSource) -> LoadedModel:
    reference = class_reference(os.fspath(path))
    with limit_trials(source.trial_s), run_on_purpose(trust=source.trust, folder=_find_folder(reference, source)):
        if reference is None:
            return _load_file(path, source)
        if reference[0] == TIMM and reference[1] != TIMM_FUNCTION:
            return _load_timm(reference[1], source)
        from cvserve.predictor.backends.python.load import load_class  # most models are files

        return load_class(*reference, source)


def _find_folder(reference: tuple[str, str] | None, source: ModelSource) -> Path | None:
    """The folder of a class that a person named, so that its code is run on purpose."""
    if reference is None or source.named_by_file or not reference[0].endswith(".py"):
        return None
    return Path(reference[0]).parent


def _load_timm(name: str, source: ModelSource) -> LoadedModel:
    load: _TimmLoader = import_library(_TIMM_LOADER, TIMM).load_timm
    return load(name, source)


def _load_file(path: str | os.PathLike[str], source: ModelSource) -> LoadedModel:
    if source.weights is not None:
        raise InvalidSetting(
            f"weights '{source.weights}' belong to a class, and the model is '{path}'; name the class: "
            "model.py:ClassName."
        )
    named = Path(path)
    if named.name == "saved_model.pb":
        with about(f"'{named.name}'"):
            refuse_saved_model(named.parent)
    file = read_model(path)
    if file.kind is not PYTHON:  # which lacks the name of its class, and that is what it hears
        file = with_imports(file)
    if source.sha256 is not None:
        check_sha256(file, source.sha256)
    with about(file):
        _check_served(file)
        require_trust(file, trust=source.trust, sha256=source.sha256)
        # The config is cheap to check and a pickle is not: its faults come first.
        config = read_config(find_config_place(path, file.path), source.config)
        if isinstance(file, ModelFolder):
            return _load_folder(file, config, source)
        read = partial(_read_facts, file, source)
        has_transform = TRANSFORM in config.values
        if has_transform and source.compile == "require":
            raise ModelFault(
                f"cannot be compiled: the pictures of {config.file_name} go through a transform; leave out require."
            )
        if source.compile == "never" or file.kind.key not in _COMPILED or has_transform:
            return make_model(read(), config, file)
        from cvserve.predictor.backends.sklearn.compiled import load_compiled  # with what it needs

        return load_compiled(file, config, source, read)


def _load_folder(folder: ModelFolder, config: ModelConfig, source: ModelSource) -> LoadedModel:
    place, extra = _FOLDER_LOADERS[folder.kind.key]
    module, _, function = place.partition(":")
    load: _FolderLoader = getattr(import_library(module, extra), function)
    return load(folder, config, source)


def is_served(file: ModelFile) -> bool:
    """Whether there is a loader for the file's format."""
    known = file.kind.key in _LOADERS or file.kind.key in _FOLDER_LOADERS
    return known or file.kind is PYTHON or find_plugin(file.kind) is not None


def _check_served(file: ModelFile) -> None:
    if file.kind in (PYTHON, TORCH, SAFETENSORS):
        raise explain_incomplete(file)
    if not is_served(file):
        raise explain_unserved(file)


def _read_facts(file: ModelFile, source: ModelSource) -> ModelFacts:
    module, _, function = _LOADERS.get(file.kind.key, _PLUGIN_LOADER).partition(":")
    loader: _Loader = getattr(importlib.import_module(module), function)
    return loader(file, source)
