"""From the path of a model file to a `LoadedModel`: one loader a format, and never a fallback to another."""

import importlib
import os
from collections.abc import Callable, Sequence

from cvserve.errors import InvalidSetting, ModelLoadError
from cvserve.predictor.file_kinds import PYTHON, TORCH
from cvserve.predictor.model_config import read_config
from cvserve.predictor.model_facts import ModelFacts, settle
from cvserve.predictor.model_file import ModelFile, check_sha256, read_model_file
from cvserve.predictor.steps import LoadedModel
from cvserve.predictor.trust import require_trust
from cvserve.values import class_reference

# What each loader imports is heavy, so it is imported when a file of its format comes.
# A new format is one file in `backends/` and one line here.
_LOADERS = {
    "skops": "cvserve.predictor.backends.sklearn:load_skops",
    "joblib": "cvserve.predictor.backends.sklearn:load_joblib",
    "pickle": "cvserve.predictor.backends.sklearn:load_pickle",
    "torchscript": "cvserve.predictor.backends.torch_files:load_torchscript",
    "torch-export": "cvserve.predictor.backends.torch_files:load_export",
}
_Loader = Callable[[ModelFile, Sequence[str]], ModelFacts]


def load_model(
    path: str | os.PathLike[str] | None,
    *,
    config: str | os.PathLike[str] | None = None,
    trust: bool = False,
    sha256: str | None = None,
    trust_types: Sequence[str] = (),
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
        weights: file for a class: the state dict of a PyTorch module, or whatever the class makes of it.
        named_by_file: `path` was said by `.env` or `cvserve.toml`. A class that somebody names is code run on
            purpose; one that a folder names needs trust as a pickle does.

    Raises:
        InvalidSetting: `sha256` is no hash, or there are `weights` without a class.
        ModelLoadError: no such file, not a model, or it does not fit its input or labels.
        UntrustedModel: a pickle that nobody vouched for.
        Unsafe: others may replace the file or the record of trust.
    """
    if path is None:
        from cvserve.predictor.backends.builtin import load_builtin  # heavy as every loader

        return load_builtin()
    reference = class_reference(os.fspath(path))
    if reference is not None:
        from cvserve.predictor.backends.python import load_class  # most models are files

        return load_class(*reference, config=config, trust=trust or not named_by_file, sha256=sha256, weights=weights)
    if weights is not None:
        raise InvalidSetting(
            f"weights '{weights}' belong to a class, and the model is '{path}'; name the class: model.py:ClassName."
        )
    file = read_model_file(path)
    if sha256 is not None:
        check_sha256(file, sha256)
    loader = _loader(file)
    require_trust(file, trust=trust, sha256=sha256)
    # The config is cheap to check and a pickle is not: its faults come first.
    said = read_config(file.path, config)
    return settle(loader(file, trust_types), said, file)


def is_served(file: ModelFile) -> bool:
    """Whether there is a loader for the file's format."""
    return file.kind.key in _LOADERS or file.kind is PYTHON


def _loader(file: ModelFile) -> _Loader:
    if file.kind in (PYTHON, TORCH):
        from cvserve.predictor.half_models import half_model  # a mistake, so it may take its time

        raise half_model(file)
    target = _LOADERS.get(file.kind.key)
    if target is None:
        raise ModelLoadError(
            f"'{file.path.name}' is {file.kind.title}, and this version serves scikit-learn files (.skops, "
            ".joblib, .pkl) and PyTorch's; ONNX comes with an extra in a later version."
        )
    module, _, function = target.partition(":")
    loader: _Loader = getattr(importlib.import_module(module), function)
    return loader
