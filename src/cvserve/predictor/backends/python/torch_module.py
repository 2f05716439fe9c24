"""A PyTorch module that a user's class or function makes, and how another one like it is made."""

import inspect
import sys
from pathlib import Path
from typing import Any

from cvserve.predictor.backends.python.arguments import takes
from cvserve.predictor.backends.python.class_config import variant_of
from cvserve.predictor.backends.torch.module import MadeModule
from cvserve.predictor.backends.torch.vision import find_completion
from cvserve.predictor.models.config.read import ModelConfig
from cvserve.predictor.user_code import explain_errors

# What torchvision, timm and most others call the number of classes
_CLASSES = "num_classes"


def is_torch_module(own: Any) -> bool:
    """Whether an object is a PyTorch module; PyTorch is not loaded to find out."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(own, torch.nn.Module)


def describe_making(own: Any, thing: Any, title: str, config: ModelConfig, folder: Path) -> MadeModule:
    """Bring together what is known of a module, so that it can be given its weights.

    Args:
        own: the module.
        thing: class or function that made it, or the module itself.
        title: what sentences about it begin with, `BaseModel in model.py`.
        config: its `model.toml`, which has the arguments.
        folder: of the user's code, for the places of its mistakes.
    """
    name = title.partition(" in ")[0]
    if not inspect.isroutine(thing):
        return MadeModule(own, name, title, folder, variant_of(name), is_class=isinstance(thing, type))
    arguments = config.values.get("model.args", {})

    def make(**more: Any) -> Any:
        with explain_errors("its call", folder):
            return thing(**arguments, **more)

    can_count = _CLASSES not in arguments and takes(thing, _CLASSES)
    make_for = (lambda classes: make(**{_CLASSES: classes})) if can_count else None
    complete = find_completion(thing)
    return MadeModule(own, name, title, folder, variant_of(name), make=make, make_for=make_for, complete=complete)
