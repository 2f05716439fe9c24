"""What torchvision knows of the pictures and classes of its own functions: those of the weights that it offers.

One's own weights may have been trained with other transforms, so that all of it is a guess, and called one.
"""

import sys
from collections.abc import Callable, Mapping
from typing import Any

from cvserve.predictor.models.config.read import ModelConfig

_MODULE = "torchvision.models"
_CROP = ("resize", "short_side", "crop_ratio")
# Nobody who trained with torchvision has done otherwise.
_HARMLESS = ("input.decode",)


def find_completion(function: Callable[..., Any]) -> Callable[[ModelConfig, Any], ModelConfig] | None:
    """What adds to a config how torchvision feeds a network of a function; None for functions of others.

    Args:
        function: that makes the network, e.g. `torchvision.models.resnet18`.
    """
    if not getattr(function, "__module__", "").startswith(f"{_MODULE}."):
        return None
    models = sys.modules[_MODULE]
    try:
        weights = models.get_model_weights(function.__name__).DEFAULT
        transforms = weights.transforms()
        fields = _translate(transforms)
    except (ValueError, AttributeError, TypeError, IndexError):  # no classifier, or one without weights
        return None

    def complete(config: ModelConfig, module: Any) -> ModelConfig:
        return _complete(config, fields, weights.meta.get("categories", ()), _count_outputs(module))

    return complete


def _translate(transforms: Any) -> dict[str, Any]:
    """The transforms of weights of torchvision in the words of `[input]`."""
    side = transforms.crop_size[0]
    return {
        "size": (side, side),
        "mode": "RGB",
        "resize": "crop",
        "short_side": transforms.resize_size[0],
        "resample": transforms.interpolation.value,
        "decode": "exact",
        "scale": 1 / 255,
        "mean": tuple(transforms.mean),
        "std": tuple(transforms.std),
    }


def _complete(config: ModelConfig, fields: Mapping[str, Any], labels: list[str], outputs: int | None) -> ModelConfig:
    if "input.transform" not in config.values:
        says_crop = any(f"input.{key}" in config.values for key in _CROP)
        wanted = {f"input.{key}": fields[key] for key in fields if not (says_crop and key in _CROP)}
        harmless = {key: wanted.pop(key) for key in _HARMLESS}
        config = config.fill(wanted, "guessed").fill(harmless, "default")
    is_of_weights = len(labels) == outputs and len(set(labels)) == outputs
    return config.fill({"labels": tuple(labels)}, "torchvision") if is_of_weights else config


def _count_outputs(module: Any) -> int | None:
    """Of the last layer that has weights; networks of torchvision end in the one that tells the classes apart."""
    weights = [value for name, value in module.state_dict().items() if name.endswith("weight") and value.ndim > 1]
    return int(weights[-1].shape[0]) if weights else None
