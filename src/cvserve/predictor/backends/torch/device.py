"""Where a PyTorch module computes, and in which precision: chosen once, when the model is loaded."""

import importlib
import warnings
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cvserve.devices import AUTO, CPU, index_of, kind_of
from cvserve.predictor.models.fault import ModelFault
from cvserve.predictor.source import ModelSource
from cvserve.texts import to_one_line

_CUDA, _MPS = "cuda", "mps"


class Placement(NamedTuple):
    """A device and a precision.

    Attributes:
        torch: the library.
        device: `cpu`, `cuda:0`, `mps`, … as PyTorch calls it.
        half: whether floats are float16 there; on the CPU bfloat16, since few CPUs compute in the other.
    """

    torch: Any
    device: str = CPU
    half: bool = False

    @property
    def dtype(self) -> Any:
        """Of the module's floats and its input's; None: as they are."""
        if not self.half:
            return None
        return self.torch.bfloat16 if self.device == CPU else self.torch.float16

    def place(self, module: Any) -> Any:
        """Move a module there, wherever its code has put it: also one that a function returns as `net.cuda()`.

        Raises:
            ModelFault: it cannot be moved, e.g. since the device's memory is full.
        """
        try:
            return module.to(device=self.device, dtype=self.dtype) if self.half else module.to(self.device)
        except Exception as error:  # a module may bring a `to` of its own
            raise ModelFault(f"cannot be moved to {self.device}: {to_one_line(str(error), 300)}") from None

    def send(self, batch: NDArray[Any]) -> Any:
        """The batch as a tensor there; on the CPU without a copy, if its array may be written to."""
        tensor = self.torch.from_numpy(np.require(batch, requirements=["C", "W"]))
        if kind_of(self.device) == _CUDA:
            # From pinned memory the copy runs beside this thread, which goes on to queue the first layers.
            tensor = tensor.pin_memory().to(self.device, non_blocking=True)
        elif self.device != CPU:
            tensor = tensor.to(self.device)
        # Bytes stay bytes: what the module does with them is its own affair.
        return tensor.to(self.dtype) if self.half and tensor.is_floating_point() else tensor


def choose_placement(torch: Any, source: ModelSource) -> Placement:
    """The place that was asked for.

    Args:
        torch: the library.
        source: its `device` and `half`. `auto` is the first CUDA device that PyTorch sees, else the CPU.

    Raises:
        ModelFault: PyTorch cannot compute there, here.
    """
    return Placement(torch, find_device(torch, source.device), source.half)


def move_export(torch: Any, program: Any, device: str) -> Any:
    """A program of `torch.export` for another device: its weights, and what its graph says of devices.

    Raises:
        Exception: whatever PyTorch raises.
    """
    return importlib.import_module("torch.export.passes").move_to_device_pass(program, torch.device(device))


def find_device(torch: Any, asked: str) -> str:
    """The name of the device by which PyTorch knows it: `cuda:0` for `cuda`.

    Args:
        torch: the library.
        asked: as `devices.parse_device` reads it.

    Raises:
        ModelFault: PyTorch cannot compute there, here.
    """
    kind = kind_of(asked)
    if kind == AUTO:
        return f"{_CUDA}:0" if _count_cuda(torch) else CPU
    if kind == _CUDA:
        _check_cuda(torch, asked)
        return f"{_CUDA}:{index_of(asked)}"
    if kind == _MPS and not torch.backends.mps.is_available():
        raise ModelFault(
            f"cannot compute on mps: PyTorch {torch.__version__} finds no GPU of Apple's here; use --device cpu"
        )
    if kind not in (CPU, _MPS):
        there = _CUDA if _count_cuda(torch) else CPU
        raise ModelFault(
            f"cannot compute on {asked}, which runs ONNX models; export it with torch.onnx.export, "
            f"or use --device {there}"
        )
    return kind


def _check_cuda(torch: Any, asked: str) -> None:
    if torch.version.cuda is None and torch.version.hip is None:
        raise ModelFault(
            f"cannot compute on {asked}: the PyTorch that is installed, {torch.__version__}, is one for the CPU; "
            "install one with CUDA, as https://pytorch.org/get-started/locally says, or use --device cpu"
        )
    devices = _count_cuda(torch)
    if not devices:
        raise ModelFault(
            f"cannot compute on {asked}: PyTorch {torch.__version__} sees no CUDA device; check what nvidia-smi and "
            "CUDA_VISIBLE_DEVICES say, or use --device cpu"
        )
    if index_of(asked) >= devices:
        there = "only cuda:0" if devices == 1 else f"cuda:0 to cuda:{devices - 1}"
        raise ModelFault(f"cannot compute on {asked}: PyTorch sees {there}; use --device cuda:0")


def _count_cuda(torch: Any) -> int:
    """CUDA devices that can be used; a driver that is too old is warned of by PyTorch and counts as none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return int(torch.cuda.device_count()) if torch.cuda.is_available() else 0
