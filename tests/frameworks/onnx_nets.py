"""The trained network of `torch_nets` as ONNX, in the shapes in which graphs come. Importing this needs PyTorch."""

import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static
from PIL import Image
from torch import nn

from frameworks.case import Case, soft_max
from frameworks.torch_nets import INPUT, MEAN, SIDE_PX, STD, answer, batch, prepared, trained

FREE = {"pixels": {0: "batch"}, "scores": {0: "batch"}}
_FREE_SIZE = {"pixels": {0: "batch", 2: "height", 3: "width"}, "scores": {0: "batch"}}


class Wrapped(nn.Module):
    """The network with something before it, something after it.

    Args:
        before: from what the graph takes to normalised pictures [N, 3, height, width].
        after: from logits [N, classes] to what the graph gives.
    """

    def __init__(self, before: Callable[..., Any] = lambda x: x, after: Callable[..., Any] = lambda x: x) -> None:
        super().__init__()
        self.net = trained()
        self.before, self.after = before, after

    def forward(self, x: torch.Tensor) -> Any:
        """Whatever `after` makes of the logits."""
        return self.after(self.net(self.before(x)))


def exported(
    path: Path, module: nn.Module, example: torch.Tensor, free: Any = None, names: tuple[str, ...] = ("scores",)
) -> Path:
    """A module as ONNX, written by the exporter that needs no onnxscript."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it talks about itself
        torch.onnx.export(
            module.eval(), (example,), path, input_names=["pixels"], output_names=list(names), dynamic_axes=free,
            dynamo=False,
        )  # fmt: skip
    return path


def _plain(free: Any, example: torch.Tensor, folder: Path, after: Callable[..., Any] = lambda x: x) -> Case:
    exported(folder / "model.onnx", Wrapped(after=after), example, free)
    return _case(folder, INPUT)


def _channels_last(folder: Path) -> Case:
    module = Wrapped(before=lambda x: x.permute(0, 3, 1, 2))
    exported(folder / "model.onnx", module, batch()[:2].permute(0, 2, 3, 1), FREE)
    return _case(folder, INPUT)


def _bytes(folder: Path) -> Case:
    """The graph takes uint8 and normalises by itself."""

    def normalise(x: torch.Tensor) -> torch.Tensor:
        return (x.float() / 255 - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)

    example = torch.zeros(2, 3, SIDE_PX, SIDE_PX, dtype=torch.uint8)
    exported(folder / "model.onnx", Wrapped(before=normalise), example, FREE)
    return _case(folder, '[input]\nresize = "stretch"\ndecode = "exact"\nscale = 1\n')


def _half(folder: Path) -> Case:
    module = Wrapped(before=lambda x: x.float(), after=lambda x: x.half())
    exported(folder / "model.onnx", module, batch()[:2].half(), FREE)
    return _case(folder, INPUT, lambda photo: _run(folder / "model.onnx", prepared(photo).numpy().astype(np.float16)))


class _Photos(CalibrationDataReader):
    def __init__(self) -> None:
        self._left: Iterator[NDArray[Any]] = iter(batch().numpy()[:, None])

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        """The next photo for the calibration."""
        photo = next(self._left, None)
        return None if photo is None else {"pixels": photo}


def _quantised(folder: Path) -> Case:
    exported(folder / "float.onnx", Wrapped(), batch()[:2], FREE)
    quantize_static(folder / "float.onnx", folder / "model.onnx", _Photos(), quant_format=QuantFormat.QDQ)
    return _case(folder, INPUT, lambda photo: _run(folder / "model.onnx", prepared(photo).numpy()))


def _external(folder: Path) -> Case:
    """The weights in a file beside it, as PyTorch's exporter writes them unless it is told otherwise."""
    exported(folder / "whole.onnx", Wrapped(), batch()[:2], FREE)
    model = onnx.load(folder / "whole.onnx")
    onnx.save(model, folder / "model.onnx", save_as_external_data=True, location="model.onnx.data", size_threshold=0)
    return _case(folder, INPUT)


def by_default(folder: Path) -> Case:
    """What `torch.onnx.export` writes when nothing is said but the file; it needs onnxscript."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it talks about itself
        torch.onnx.export(Wrapped().eval(), (batch()[:2],), folder / "model.onnx", verbose=False)
    assert (folder / "model.onnx.data").is_file()
    return _case(folder, INPUT)


def _case(folder: Path, toml: str, reference: Callable[[Image.Image], Any] | None = None) -> Case:
    (folder / "model.toml").write_text(toml, encoding="utf-8")
    return Case(folder / "model.onnx", reference or partial(answer, trained()))


def _run(path: Path, picture: NDArray[Any]) -> Any:
    """What ONNX Runtime says of one prepared picture: probabilities."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return soft_max(session.run(None, {"pixels": picture[None]})[0][0].astype(np.float64))


ONNX: dict[str, Callable[[Path], Case]] = {
    "free batch": lambda folder: _plain(FREE, batch()[:2], folder),
    "one at a time": lambda folder: _plain(None, batch()[:1], folder),
    "four at a time": lambda folder: _plain(None, batch()[:4], folder),
    "free size": lambda folder: _plain(_FREE_SIZE, batch()[:2], folder),
    "soft-max": lambda folder: _plain(FREE, batch()[:2], folder, lambda x: x.softmax(1)),
    "log-soft-max": lambda folder: _plain(FREE, batch()[:2], folder, lambda x: x.log_softmax(1)),
    "classes x 1 x 1": lambda folder: _plain(FREE, batch()[:2], folder, lambda x: x[:, :, None, None]),
    "channels last": _channels_last,
    "uint8": _bytes,
    "float16": _half,
    "int8": _quantised,
    "external data": _external,
}
