"""The names of devices on which a model can compute: what `--device` may say, read without loading any library."""

import re

CPU, AUTO = "cpu", "auto"
# What a model may be told. ONNX Runtime reaches a device through a provider, and two of them have names of their own.
KINDS = (AUTO, CPU, "cuda", "mps", "openvino", "tensorrt")
_NUMBERED = ("cuda", "tensorrt")
_NAME = re.compile(r"([a-z][a-z0-9_]*)(?::([0-9]{1,3}))?")


def parse_device(text: str) -> str:
    """The name of a device: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`, `openvino`, `tensorrt` or `tensorrt:1`.

    Raises:
        ValueError: it is none of them.
    """
    match = _NAME.fullmatch(text)
    if match is None or match[1] not in KINDS or (match[2] is not None and match[1] not in _NUMBERED):
        raise ValueError(f"give {', '.join(KINDS[:-1])} or {KINDS[-1]}; a second GPU is cuda:1")
    return text


def kind_of(device: str) -> str:
    """The device's kind: `cuda` of `cuda:1`."""
    return device.partition(":")[0]


def index_of(device: str) -> int:
    """Which of several devices of one kind, from 0: 1 of `cuda:1`, 0 of `cuda`."""
    return int(device.partition(":")[2] or 0)


def is_device_name(text: str) -> bool:
    """Whether a class may mean a device by this text: a word in lower case, with a number or without."""
    return _NAME.fullmatch(text) is not None


def computes_beside(device: str) -> bool:
    """Whether a model on it leaves the cores of the CPU to others: on all devices but `cpu`."""
    return kind_of(device) != CPU
