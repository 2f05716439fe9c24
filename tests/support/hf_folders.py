"""Folders of image classifiers as transformers saves them, tiny and with random weights."""

import importlib
import json
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from support.torch_models import needs_torch

LABELS = ("cat", "dog", "mouse", "owl", "fox")
_SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 37}
_STAGES = {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1]}
_TOWERS = {
    "vision_config": {**_SMALL, "image_size": 224, "patch_size": 32},
    "text_config": {**_SMALL, "vocab_size": 99, "num_hidden_layers": 1},
}
_SHORT_224 = {"size": {"shortest_edge": 224}}

# Family: class, values of its configuration, image processor, values of this
FAMILIES: dict[str, tuple[str, Mapping[str, Any], str, Mapping[str, Any]]] = {
    "vit": ("ViTForImageClassification", _SMALL, "ViTImageProcessor", {}),
    "deit": ("DeiTForImageClassificationWithTeacher", _SMALL, "DeiTImageProcessor", {}),
    "beit": ("BeitForImageClassification", _SMALL, "BeitImageProcessor", {}),
    "convnext": ("ConvNextForImageClassification", _STAGES, "ConvNextImageProcessor", _SHORT_224),
    "resnet": ("ResNetForImageClassification", {**_STAGES, "embedding_size": 8}, "ConvNextImageProcessor", _SHORT_224),
    "swin": (
        "SwinForImageClassification",
        {"embed_dim": 16, "depths": [1, 1, 1, 1], "num_heads": [1, 2, 4, 8]},
        "ViTImageProcessor",
        {},
    ),
    "mobilenet_v2": ("MobileNetV2ForImageClassification", {"depth_multiplier": 0.35}, "MobileNetV2ImageProcessor", {}),
    "efficientnet": (
        "EfficientNetForImageClassification",
        {"width_coefficient": 0.25, "depth_coefficient": 0.25, "hidden_dim": 320, "initializer_range": 0.2},
        "EfficientNetImageProcessor",
        {},
    ),
    "clip": ("CLIPForImageClassification", _TOWERS, "CLIPImageProcessor", {}),
    "siglip": ("SiglipForImageClassification", _TOWERS, "SiglipImageProcessor", {}),
}

needs_transformers = [
    needs_torch,
    pytest.mark.skipif(importlib.util.find_spec("transformers") is None, reason="transformers is not installed"),
]


def made_folder(folder: Path, family: str = "vit", **values: Any) -> Path:
    """A folder with a network and its image processor.

    Args:
        folder: to be made.
        family: a key of `FAMILIES`.
        values: further ones of the configuration.
    """
    transformers = import_transformers()
    torch = importlib.import_module("torch")
    name, own, processor, settings = FAMILIES[family]
    model_class = getattr(transformers, name)
    torch.manual_seed(7)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        config = model_class.config_class(**{"id2label": dict(enumerate(LABELS)), **own, **values})
        module = model_class(config).eval()
        _spread(torch, module)
        module.save_pretrained(folder)
        getattr(transformers, processor)(**settings).save_pretrained(folder)
    return folder


def import_transformers() -> Any:
    """The library, silent."""
    transformers = importlib.import_module("transformers")
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    return transformers


def own_scores(folder: Path) -> Callable[[Any], Any]:
    """What transformers itself makes of a picture: `AutoImageProcessor`, the model, and the soft-max of its logits."""
    transformers = import_transformers()
    torch = importlib.import_module("torch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        processor = transformers.AutoImageProcessor.from_pretrained(folder)
        module = transformers.AutoModelForImageClassification.from_pretrained(folder)

    def ask(picture: Any) -> Any:
        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return module(**processor(picture, return_tensors="pt")).logits.softmax(-1)[0].numpy()

    return ask


def changed_json(path: Path, **values: Any) -> Path:
    """A JSON file with other values; None removes one."""
    document = json.loads(path.read_text(encoding="utf-8")) | values
    path.write_text(json.dumps({key: value for key, value in document.items() if value is not None}), "utf-8")
    return path


def _spread(torch: Any, module: Any) -> None:
    """Statistics and a last layer with which pictures have different scores, none of them 0 or 1."""
    module.train()
    side = 346 if "EfficientNet" in type(module).__name__ else 224
    with torch.no_grad():
        module(torch.rand(2, 3, side, side) * 2 - 1)
        module.eval()
        for name, weight in module.named_parameters():
            if "classifier" in name and weight.ndim == 2:
                logits = module(torch.rand(2, 3, side, side) * 2 - 1).logits
                weight.mul_(1.5 / logits.std().clamp(min=1e-3))
