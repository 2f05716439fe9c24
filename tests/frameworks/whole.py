"""Models of whole frameworks, saved as their owners save them, with the frameworks' own way from a file to scores.

Each is made in a folder and gives what `--model` and its options name, relative to that folder. The networks are small
or their weights random, but their heads are spread as trained ones are.
"""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from frameworks.case import Case, soft_max
from frameworks.photos import photos

# Standard deviation of the logits, for each e-fold of classes: one of many must stand out from more.
_SPREAD = 1.0
_NEEDS = "pip install -r tests/frameworks/requirements.txt, and this test runs"


def _spread(head: nn.Linear, logits: torch.Tensor) -> None:
    """Make the logits of the photos differ as a trained network's do, by its last layer."""
    with torch.no_grad():
        factor = _SPREAD * np.log(logits.shape[1]) / logits.std(dim=0).clamp(min=1e-6)
        head.bias -= logits.mean(dim=0)
        head.bias *= factor
        head.weight *= factor[:, None]


def _spread_on_photos(module: nn.Module, head: nn.Linear, transform: Callable[[Any], Any]) -> None:
    batch = torch.stack([transform(photo) for photo in photos().values()])
    with torch.inference_mode():
        logits = module(batch)
    _spread(head, getattr(logits, "logits", logits).clone())


def torchvision(folder: Path) -> Case:
    """A ResNet, its state dict, and the transforms of torchvision's own weights."""
    models = pytest.importorskip("torchvision.models", reason=_NEEDS)
    torch.manual_seed(0)
    module = models.resnet18().eval()
    transform = models.ResNet18_Weights.DEFAULT.transforms()
    _spread_on_photos(module, module.fc, transform)
    torch.save(module.state_dict(), folder / "best.pth")
    config = folder / "models.toml"
    config.write_text('[input]\npreset = "imagenet"\n', encoding="utf-8")
    load = {"weights": folder / "best.pth", "config": config}
    return Case("torchvision.models:resnet18", lambda photo: _ask(module, transform(photo)), load)


def timm(folder: Path) -> Case:
    """A ResNet of timm, fine-tuned for five classes and saved as safetensors."""
    timm_ = pytest.importorskip("timm", reason=_NEEDS)
    safetensors = importlib.import_module("safetensors.torch")
    torch.manual_seed(0)
    module = timm_.create_model("resnet18", num_classes=5).eval()
    transform = timm_.data.create_transform(**timm_.data.resolve_model_data_config(module))
    _spread_on_photos(module, module.fc, transform)
    safetensors.save_file(module.state_dict(), folder / "best.safetensors")
    return Case("timm:resnet18", lambda photo: _ask(module, transform(photo)), {"weights": folder / "best.safetensors"})


def huggingface(folder: Path) -> Case:
    """A ViT with its image processor, by `save_pretrained`."""
    transformers = pytest.importorskip("transformers", reason=_NEEDS)
    torch.manual_seed(0)
    config = transformers.ViTConfig(
        id2label={0: "cat", 1: "dog", 2: "mouse"}, hidden_size=64, num_hidden_layers=2, num_attention_heads=2
    )
    module = transformers.ViTForImageClassification(config).eval()
    processor = transformers.ViTImageProcessor()

    def transform(photo: Any) -> Any:
        return processor(photo, return_tensors="pt")["pixel_values"][0]

    _spread_on_photos(module, module.classifier, transform)
    module.save_pretrained(folder / "animals")
    processor.save_pretrained(folder / "animals")
    return Case(folder / "animals", lambda photo: _ask(module, transform(photo)))


def _ask(module: nn.Module, picture: torch.Tensor) -> Any:
    with torch.inference_mode():
        answer = module(picture[None])
    return soft_max(getattr(answer, "logits", answer)[0].numpy())


WHOLE: dict[str, Callable[[Path], Case]] = {
    "torchvision": torchvision,
    "timm": timm,
    "Hugging Face": huggingface,
}
