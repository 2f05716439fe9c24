"""Classifiers of Ultralytics as `export(format="onnx")` writes them. Importing this needs Ultralytics."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from ultralytics import YOLO
from ultralytics.nn.tasks import ClassificationModel

from frameworks.case import Case
from frameworks.photos import photos

SIDE_PX = 96
NAMES = {0: "cat", 1: "dog", 2: "it's", 3: "cow", 4: "hen"}
_SPREAD = 2.0


def network(config: str = "yolo11n-cls.yaml") -> Any:
    """A classifier whose logits are as far apart as those of trained ones."""
    torch.manual_seed(3)
    yolo = YOLO(config)
    options = yolo.model.args, yolo.model.task
    yolo.model = ClassificationModel(config, nc=len(NAMES), verbose=False)
    yolo.model.args, yolo.model.task = options
    yolo.model.names = dict(NAMES)
    head = yolo.model.model[-1].linear
    seen: list[torch.Tensor] = []
    hook = head.register_forward_hook(lambda _module, _taken, given: seen.append(given.detach()))
    batch = torch.stack([_pixels(photo) for photo in photos().values()])
    for module in yolo.model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0  # the statistics of the photos, at once
    with torch.no_grad():
        yolo.model.train()(batch)
        yolo.model.eval()(batch)
        hook.remove()
        factor = _SPREAD / seen[-1].std(dim=0)
        head.bias -= seen[-1].mean(dim=0)
        head.bias *= factor
        head.weight *= factor[:, None]
    return yolo


def exported(folder: Path, yolo: Any, **options: Any) -> Case:
    """The model as Ultralytics exports it, with nothing beside it."""
    yolo.model.pt_path = str(folder / "best.pt")  # the export stands beside it
    path = Path(yolo.export(format="onnx", imgsz=SIDE_PX, verbose=False, **options))
    return Case(path, lambda photo: answer(yolo, photo))


def answer(yolo: Any, photo: Image.Image) -> Any:
    """What Ultralytics says of a photo: probabilities."""
    (found,) = yolo.predict(np.asarray(photo)[..., ::-1], imgsz=SIDE_PX, verbose=False)
    return found.probs.data.numpy()


def _pixels(photo: Image.Image) -> torch.Tensor:
    pixels = np.asarray(photo.resize((SIDE_PX, SIDE_PX), Image.Resampling.BILINEAR), np.float32) / 255
    return torch.from_numpy(pixels).permute(2, 0, 1)


ULTRALYTICS: dict[str, Callable[[Path], Case]] = {
    "as it is": lambda folder: exported(folder, network()),
    "free size": lambda folder: exported(folder, network(), dynamic=True),
    "opset 17, simplified": lambda folder: exported(folder, network(), opset=17, simplify=True),
    "yolov8": lambda folder: exported(folder, network("yolov8n-cls.yaml")),
}
