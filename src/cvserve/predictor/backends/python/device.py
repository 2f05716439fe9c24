"""Where a user-defined class computes: it is told before its `setup`, and asked afterwards what it made of that."""

import sys
from typing import Any

from cvserve.devices import AUTO, CPU, is_device_name, kind_of
from cvserve.predictor.backends.torch.device import find_device
from cvserve.predictor.source import ModelSource
from cvserve.predictor.steps import Steps


def offer_device(own: Any, source: ModelSource) -> None:
    """Tell a `Predictor` which device and which precision are asked for; a class with a `device` of its own decides.

    Args:
        own: an object of a user-defined class.
        source: its `device` and `half`. `auto` is the CUDA device that PyTorch sees, where the class has imported it,
            else the CPU.
    """
    if not isinstance(own, Steps):
        return
    if own.device == Steps.device and "device" not in vars(own):
        own.device = _find(source.device)
    own.half = own.half or source.half


def read_device(own: Any, source: ModelSource) -> dict[str, Any]:
    """What its object says of its device and its precision after its `setup`, as fields of `ModelFacts`.

    With `auto`, a class that has imported PyTorch for something else computes on the CPU, whatever was offered.
    """
    device = str(getattr(own, "device", CPU))
    torch = sys.modules.get("torch")
    is_unused = kind_of(device) == "cuda" and torch is not None and not torch.cuda.is_initialized()
    if not is_device_name(device) or (source.device == AUTO and is_unused):
        device = CPU
    return {"device": device, "half": source.half and isinstance(own, Steps)}


def _find(asked: str) -> str:
    torch = sys.modules.get("torch")
    if asked != AUTO:  # a class may reach it by whatever library it likes
        return asked
    return CPU if torch is None else find_device(torch, asked)
