"""From the path of a model file to a `LoadedModel`: one loader a format, and never a fallback to another."""

import importlib
import os
from collections.abc import Callable, Sequence
from functools import partial

from cvserve.errors import InvalidSetting, ModelLoadError
from cvserve.predictor.backends.probe import make_model
from cvserve.predictor.contract import LoadedModel
from cvserve.predictor.models.fault import about
from cvserve.predictor.models.file import ModelFile, check_sha256, read_model_file
from cvserve.predictor.models.kinds import PYTHON, TORCH
from cvserve.predictor.models.plugins import plugin_of
from cvserve.predictor.models.resolve import ModelFacts
from cvserve.predictor.models.toml_read import read_config
from cvserve.predictor.models.trust import require_trust
from cvserve.values import class_reference

# What each loader imports is heavy, so it is imported when a file of its format comes.
# A new format is one file in `backends/` and one line here.
_LOADERS = {
    "skops": "cvserve.predictor.backends.sklearn.load:load_skops",
    "joblib": "cvserve.predictor.backends.sklearn.load:load_joblib",
    "pickle": "cvserve.predictor.backends.sklearn.load:load_pickle",
    "onnx": "cvserve.predictor.backends.onnx.load:load_onnx",
    "torchscript": "cvserve.predictor.backends.torch.load:load_torchscript",
    "torch-export": "cvserve.predictor.backends.torch.load:load_export",
}
_PLUGIN_LOADER = "cvserve.predictor.backends.plugin:load_plugin"
# What skl2onnx knows.
_COMPILED = ("skops", "joblib", "pickle")
COMPILE_MODES = ("auto", "never", "require")
_Loader = Callable[[ModelFile, Sequence[str]], ModelFacts]


def load_model(
    path: str | os.PathLike[str] | None,
    *,
    config: str | os.PathLike[str] | None = None,
    trust: bool = False,
    sha256: str | None = None,
    trust_types: Sequence[str] = (),
    compile: str = "auto",  # noqa: A002 - the setting's name
    weights: str | os.PathLike[str] | None = None,
    named_by_file: bool = False,
) -> LoadedModel:
    """Load a model file, a class, or the built-in model for one digit.

    Args:
        path: of a model file, or `my_model.py:MaskModel`, or `package.module:MaskModel`; None for the built-in model.
        config: another `model.toml` than the one beside the file.
        trust: run the code that a pickle may hide.
        sha256: load only if the file has this hash, 64 hex digits; it also counts as trust.
        trust_types: names of skops types outside of scikit-learn that may be loaded.
        compile: whether a scikit-learn estimator runs as ONNX: `auto`: where that gives the same answers and the extra
            `onnx` is installed; `never`; `require`: it is an error otherwise.
        weights: file for a class: the state dict of a PyTorch module, or whatever the class makes of it.
        named_by_file: `path` was said by `.env` or `cvserve.toml`. A class that somebody names is code run on
            purpose; one that a folder names needs trust as a pickle does.

    Raises:
        InvalidSetting: `sha256` is no hash, `compile` none of its words, or there are `weights` without a class.
        ModelLoadError: no such file, not a model, or it does not fit its input or labels.
        UntrustedModel: a pickle that nobody vouched for.
        Unsafe: others may replace the file or the record of trust.
    """
    if compile not in COMPILE_MODES:
        raise InvalidSetting(f"compile is '{compile}'; use one of {', '.join(COMPILE_MODES)}.")
    if path is None:
        from cvserve.predictor.backends.builtin.load import load_builtin  # heavy as every loader

        return load_builtin()
    reference = class_reference(os.fspath(path))
    if reference is not None:
        from cvserve.predictor.backends.python.load import load_class  # most models are files

        return load_class(*reference, config=config, trust=trust or not named_by_file, sha256=sha256, weights=weights)
    if weights is not None:
        raise InvalidSetting(
            f"weights '{weights}' belong to a class, and the model is '{path}'; name the class: model.py:ClassName."
        )
    file = read_model_file(path)
    if sha256 is not None:
        check_sha256(file, sha256)
    _check_served(file)
    require_trust(file, trust=trust, sha256=sha256)
    # The config is cheap to check and a pickle is not: its faults come first.
    said = read_config(file.path, config)
    if compile == "never" or file.kind.key not in _COMPILED:
        return make_model(_facts(file, trust_types), said, file)
    from cvserve.predictor.backends.sklearn.compiled import load_compiled  # with what it needs

    return load_compiled(file, said, trust_types, partial(_facts, file, trust_types), is_required=compile == "require")


def is_served(file: ModelFile) -> bool:
    """Whether there is a loader for the file's format."""
    return file.kind.key in _LOADERS or file.kind is PYTHON or plugin_of(file.kind) is not None


def _check_served(file: ModelFile) -> None:
    if file.kind in (PYTHON, TORCH):
        from cvserve.predictor.models.incomplete import half_model  # a mistake, so it may take its time

        raise half_model(file)
    if not is_served(file):
        raise ModelLoadError(
            f"'{file.path.name}' is {file.kind.title}, and cvserve serves scikit-learn files (.skops, .joblib, .pkl), "
            "ONNX and PyTorch models; export it to ONNX."
        )


def _facts(file: ModelFile, trust_types: Sequence[str]) -> ModelFacts:
    module, _, function = _LOADERS.get(file.kind.key, _PLUGIN_LOADER).partition(":")
    with about(file):
        loader: _Loader = getattr(importlib.import_module(module), function)
        return loader(file, trust_types)
