"""Libraries that only some models need; whoever lacks one hears what to install."""

import importlib
from typing import Any

from cvserve.predictor.models.fault import ModelFault

# What people call them, where that is not the module's name
_TITLES = {"onnx": "the package onnx", "onnxruntime": "ONNX Runtime", "torch": "PyTorch"}
_OURS = __name__.partition(".")[0]


def import_library(module: str, extra: str, otherwise: str = "") -> Any:
    """A library, or a module of cvserve that imports some at its top.

    Args:
        module: its full name.
        extra: of cvserve that brings what the module needs.
        otherwise: another way out, such as ", or use --compile never".

    Raises:
        ModelFault: a library is not installed, or is broken.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        missing = (error.name or module).partition(".")[0]
        if missing == _OURS and error.name is not None:  # a mistake of ours
            raise
        is_there = "" if isinstance(error, ModuleNotFoundError) else ", which cannot be imported here"
        name = "a library" if missing == _OURS else missing
        raise missing_library(name, f"'cvserve[{extra}]'{otherwise}", is_there) from None


def missing_library(name: str, wanted: str, more: str = "") -> ModelFault:
    """The error for a library that cannot be imported.

    Args:
        name: of its module.
        wanted: what `pip install` is given.
        more: what else there is to say of it, with a comma before.
    """
    return ModelFault(f"needs {_TITLES.get(name, name)}{more}; run: pip install {wanted}")
