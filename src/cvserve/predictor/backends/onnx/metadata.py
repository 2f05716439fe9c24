"""What an exporter wrote beside the graph: Ultralytics puts task, names of the classes and size there.

Its exports have, as texts: `task` (`classify`, `detect`, …), `names` (`{0: 'cat', 1: 'dog'}`, as Python prints a
dictionary) and `imgsz` (`[height, width]`). https://docs.ultralytics.com/modes/export/
"""

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cvserve.predictor.models.fault import ModelFault
from cvserve.texts import escape_unprintable

# Python's parser takes a hundred times the memory of its text; 21,843 classes of ImageNet-21k are half a megabyte.
_MAX_TEXT_CHARACTERS = 4 * 1024**2
_MAX_CLASSES = 100_000
_MAX_SIDE_PX = 8192
_MAKER = "Ultralytics"


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the file says beside its graph; nothing where it says nothing.

    Attributes:
        labels: names of the classes, in the order of their numbers.
        input: fields of `InputSpec` for the preparation that belongs to the exporter's models.
        extra: for people, e.g. `{"task": "classify"}`.
    """

    labels: tuple[str, ...] | None = None
    input: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)


def read_metadata(props: Mapping[str, str]) -> Metadata:
    """What can be used of the texts beside a graph.

    Args:
        props: `metadata_props` of the model.

    Raises:
        ModelFault: it is for another task than to classify, or its names of classes cannot be read.
    """
    task = props.get("task")
    if task is None or not (props.get("author") == _MAKER or "names" in props):
        return Metadata()
    if task != "classify":
        shown = escape_unprintable(task[:40])
        raise ModelFault(
            f"was made for the task '{shown}' (so says its metadata) and gives no score for each class; train and "
            "export a classifier, such as yolo11n-cls."
        )
    size = _read_size(props.get("imgsz", ""))
    labels = _read_names(props["names"]) if "names" in props else None
    return Metadata(labels, _preparation(size), {"task": task})


def _preparation(size: tuple[int, int] | None) -> dict[str, Any]:
    """How Ultralytics prepares a picture: its short side to the size, then the centre; other shapes are stretched."""
    is_square = size is None or size[0] == size[1]
    said: dict[str, Any] = {
        "mode": "RGB",
        "resize": "crop" if is_square else "stretch",
        "resample": "bilinear",
        "decode": "exact",  # it decodes all of a JPEG, and so differs from "auto" in the third digit
        "scale": 1 / 255,
        "mean": (0.0,),
        "std": (1.0,),
    }
    return said | ({"crop_ratio": 1.0} if is_square else {}) | ({} if size is None else {"size": size})


def _read_size(text: str) -> tuple[int, int] | None:
    """Width and height from `[height, width]` or one number."""
    value = _parse(text) if len(text) < 100 else None
    sides = [value, value] if isinstance(value, int) else value
    if not isinstance(sides, list | tuple) or len(sides) != 2:
        return None
    if not all(type(side) is int and 1 <= side <= _MAX_SIDE_PX for side in sides):
        return None
    return (sides[1], sides[0])


def _read_names(text: str) -> tuple[str, ...]:
    """Labels from a dictionary of numbers and names, or from a list."""
    names = _parse(text)
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not isinstance(names, dict) or set(names) != set(range(len(names))) or not 1 <= len(names) <= _MAX_CLASSES:
        raise ModelFault(
            "has names of classes in its metadata that are no dictionary of the numbers 0, 1, … and names; export it "
            "again."
        )
    return tuple(escape_unprintable(str(names[index])) for index in range(len(names)))


def _parse(text: str) -> Any:
    """A Python literal, which is data and no code; None when it is none."""
    if len(text) > _MAX_TEXT_CHARACTERS:
        return None
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return None
