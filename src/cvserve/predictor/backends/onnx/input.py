"""From the shape and type of a graph's input to what pictures it takes."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cvserve.predictor.models.fault import ModelFault
from cvserve.texts import escape_unprintable

_TYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(uint8)": "uint8",
}
_CHANNELS = (1, 3)
_MAX_VALUES = 2**26  # 256 MiB of floats


class Port(NamedTuple):
    """An input or output of a graph.

    Attributes:
        name: as the graph calls it.
        shape: a number, or anything else where the size is free.
        type: ONNX Runtime's word, e.g. `tensor(float)`.
    """

    name: str
    shape: tuple[Any, ...]
    type: str

    @classmethod
    def of(cls, entry: Any) -> "Port":
        """From ONNX Runtime's own, which decodes what a stranger wrote when it is asked for it, and may fail."""
        return cls(entry.name, tuple(entry.shape), entry.type)


@dataclass(frozen=True, slots=True)
class GraphInput:
    """What the graph says of its input, in the words of `ModelFacts`.

    Attributes:
        name: of the input.
        shape: as declared, None for each dimension that is free; the batch first.
        said: fields of `InputSpec` that the graph says.
        defaults: fields that suit it.
        guessed: fields of which the graph leaves more than one possible.
        features: values in one picture, None when the graph leaves that open.
    """

    name: str
    shape: tuple[int | None, ...]
    said: dict[str, Any]
    defaults: dict[str, Any] = field(default_factory=dict)
    guessed: tuple[str, ...] = ()
    features: int | None = None

    @property
    def batch(self) -> int | None:
        """How many pictures it takes at a time, None for any number."""
        return self.shape[0]


def read_input(inputs: list[Port]) -> GraphInput:
    """What pictures a graph takes.

    Args:
        inputs: of the session.

    Raises:
        ModelFault: not one input, or one that is no batch of pictures.
    """
    if len(inputs) != 1:
        names = ", ".join(f"'{escape_unprintable(entry.name)}'" for entry in inputs) or "none"
        raise ModelFault(
            f"takes {len(inputs)} inputs ({names}), and a classifier of pictures takes one; "
            "export it with the others fixed."
        )
    entry = inputs[0]
    dtype = _TYPES.get(entry.type)
    if dtype is None:
        raise ModelFault(
            f"takes values of type {entry.type}; pictures are given as float, float16, double or uint8: "
            "export it with one of them."
        )
    shape = tuple(size if isinstance(size, int) and size > 0 else None for size in entry.shape)
    facts = _of_shape(shape, entry.name)
    if facts is None:
        raise ModelFault(
            f"takes arrays of shape {format_shape(shape)}; pictures are given as [batch, channels, height, "
            "width], [batch, height, width, channels], [batch, height, width] or [batch, values], with 1 or 3 "
            "channels: export it that way."
        )
    check_values(facts, facts.features or 1)
    facts.said["dtype"] = dtype
    if dtype == "uint8":
        facts.defaults["scale"] = 1.0  # whole numbers are pixels as they are
    return facts


def check_values(facts: GraphInput, per_picture: int) -> None:
    """Refuse an input that would take the machine's memory, before an array of it is made.

    Args:
        facts: of the input; a graph of a fixed batch takes that many pictures in one run.
        per_picture: values in one picture.

    Raises:
        ModelFault: one run takes more values than a machine should give to it.
    """
    if (facts.batch or 1) * per_picture > _MAX_VALUES:
        raise ModelFault(
            f"takes arrays of shape {format_shape(facts.shape)}, over {_MAX_VALUES:,} values in one run; "
            "export it for smaller pictures or a smaller batch."
        )


def format_shape(shape: tuple[int | None, ...]) -> str:
    """A shape for people: `[?, 3, 224, 224]`."""
    return f"[{', '.join('?' if size is None else str(size) for size in shape)}]"


def _of_shape(shape: tuple[int | None, ...], name: str) -> GraphInput | None:
    if len(shape) == 2:
        return GraphInput(name, shape, {"layout": "flat"}, features=shape[1])
    if len(shape) == 3 and shape[0] in (None, 1):
        return _picture(name, shape, {"layout": "NHWC"}, 1, shape[1], shape[2])
    if len(shape) != 4:
        return None
    layout = _layout(shape)
    if layout == "NHWC":
        height, width, channels = shape[1:]
        return _picture(name, shape, {"layout": layout}, channels, height, width)
    channels, height, width = shape[1:]
    if layout == "NCHW":
        return _picture(name, shape, {"layout": layout}, channels, height, width)
    if None not in (shape[1], shape[3]):
        return None
    return GraphInput(name, shape, {}, {"layout": "NCHW"}, ("layout", "mode"))


def _layout(shape: tuple[int | None, ...]) -> str | None:
    """Where the channels are: the dimension that can be nothing else; None when that cannot be told."""
    first, last = shape[1], shape[3]
    if first in _CHANNELS:
        return "NCHW"  # a picture 1 or 3 pixels wide is none
    if last in _CHANNELS:
        return "NHWC"
    if first is None and last is not None:
        return "NCHW"
    return "NHWC" if last is None and first is not None else None


def _picture(
    name: str,
    shape: tuple[int | None, ...],
    said: dict[str, Any],
    channels: int | None,
    height: int | None,
    width: int | None,
) -> GraphInput:
    if width is not None and height is not None:
        said["size"] = (width, height)
    if channels == 1:
        said["mode"] = "L"
    features = None if None in (channels, height, width) else (channels or 0) * (height or 0) * (width or 0)
    # Red first or blue first: three channels look alike.
    return GraphInput(name, shape, said, {}, ("mode",) if channels != 1 else (), features)
