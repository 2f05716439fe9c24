"""The keys of `model.toml`, each with the check that tells what it may be.

A check takes key and value and gives the value as the rest of cvserve uses it: a tuple for a list, a float for a
number. It does not know which file it reads; `fault.about` puts the name before the sentence.
"""

import math
from collections.abc import Callable
from pathlib import PurePath
from typing import Any

from cvserve.predictor.images.fit import RESAMPLE, ROUNDING
from cvserve.predictor.models.fault import ModelFault
from cvserve.predictor.scores import KINDS

MAX_SIDE_PX = 8192
_MAX_NAME_LENGTH = 200
_MAX_SHOWN = 60

Check = Callable[[str, Any], Any]


def _refuse(key: str, value: Any, wanted: str) -> ModelFault:
    text = repr(value)
    text = text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "…"
    return ModelFault(f"has {key} = {text}, which cannot be used; write {wanted}.")


def _check_name(key: str, value: Any) -> str:
    if not _is_text(value) or len(value) > _MAX_NAME_LENGTH:
        raise _refuse(key, value, f"a text of 1 to {_MAX_NAME_LENGTH} characters")
    return str(value).strip()


def check_labels(key: str, value: Any) -> tuple[str, ...]:
    """Check names of classes: texts of one line, none empty, none twice.

    Args:
        key: that they stand under, for the sentence.
        value: should be a list of texts, in the order of the classes.

    Raises:
        ModelFault: it is something else; to be used in `about(…)`.
    """
    if not isinstance(value, list) or not value:
        raise _refuse(key, value, 'a list of texts such as ["cat", "dog"], or the name of a file such as "labels.txt"')
    seen: dict[str, int] = {}
    for index, label in enumerate(value):
        if not _is_text(label):
            raise _refuse(f"{key}[{index}]", label, "a text on one line, not empty")
        if label in seen:
            raise ModelFault(
                f"has the label '{label}', which stands for class {seen[label]} and for class {index}; "
                "give each class a name of its own."
            )
        seen[label] = index
    return tuple(value)


def _check_labels_or_file(key: str, value: Any) -> tuple[str, ...] | PurePath:
    """Labels, or where they stand one a line: a file in the folder of `model.toml` or below."""
    if not isinstance(value, str):
        return check_labels(key, value)
    path = PurePath(value)
    # A stranger's folder must not make a server answer with the lines of /etc/passwd.
    if not _is_text(value) or path.is_absolute() or ".." in path.parts or not path.name:
        raise _refuse(key, value, 'the name of a file beside it, such as "labels.txt"')
    return path


def _one_of(*allowed: str) -> Check:
    wanted = "one of " + ", ".join(f'"{word}"' for word in allowed)

    def check(key: str, value: Any) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise _refuse(key, value, wanted)
        return value

    return check


def _number(wanted: str, accept: Callable[[float], bool]) -> Check:
    def check(key: str, value: Any) -> float:
        if not _is_number(value) or not accept(value):
            raise _refuse(key, value, wanted)
        return float(value)

    return check


def _numbers(wanted: str, accept: Callable[[float], bool]) -> Check:
    def check(key: str, value: Any) -> tuple[float, ...]:
        numbers = value if isinstance(value, list) else [value]
        if len(numbers) not in (1, 3) or not all(_is_number(number) and accept(number) for number in numbers):
            raise _refuse(key, value, wanted)
        return tuple(float(number) for number in numbers)

    return check


def _check_size(key: str, value: Any) -> tuple[int, int]:
    sides = value if isinstance(value, list) else []
    if len(sides) != 2 or not all(type(side) is int and 1 <= side <= MAX_SIDE_PX for side in sides):
        raise _refuse(key, value, f"[width, height] in pixels, each 1 to {MAX_SIDE_PX}")
    return (sides[0], sides[1])


def _check_side(key: str, value: Any) -> int:
    if type(value) is not int or not 1 <= value <= MAX_SIDE_PX:
        raise _refuse(key, value, f"pixels, 1 to {MAX_SIDE_PX}")
    return value


def _check_transform(key: str, value: Any) -> str:
    """A Python file in the folder of `model.toml` or below, and a name in it."""
    file, _, name = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    path = PurePath(file)
    if not name.isidentifier() or path.suffix != ".py" or path.is_absolute() or ".." in path.parts:
        raise _refuse(key, value, 'a Python file beside it and a name in that: "train.py:val_transform"')
    return str(value)


def _check_switch(key: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _refuse(key, value, "true or false")
    return value


def _check_output(key: str, value: Any) -> str | int:
    """One of several outputs: by its name, or by its index from 0."""
    if type(value) is int and value >= 0:
        return value
    if not _is_text(value):
        raise _refuse(key, value, 'the name of an output such as "logits", or its index from 0')
    return str(value)


def _check_arguments(key: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(name.isidentifier() for name in value):
        raise _refuse(key, value, "a table of keyword arguments such as { num_classes = 3 }")
    return dict(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and value.isprintable()


def _is_number(value: Any) -> bool:
    # The upper bound keeps float32 finite; TOML's integers have none of their own.
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e30


CHECKS: dict[str, Check] = {
    "name": _check_name,
    "labels": _check_labels_or_file,
    "input.preset": _check_name,
    "input.size": _check_size,
    "input.mode": _one_of("L", "RGB", "BGR"),
    "input.resize": _one_of("stretch", "crop", "squash", "pad", "exact"),
    "input.crop_ratio": _number("a number from 0.01 to 1", lambda ratio: 0.01 <= ratio <= 1),
    "input.short_side": _check_side,
    "input.crop_rounding": _one_of(*ROUNDING),
    "input.resample": _one_of(*RESAMPLE),
    "input.decode": _one_of("auto", "exact"),
    "input.invert": _check_switch,
    "input.scale": _number("a number that is not 0, such as 0.00392156862745098", lambda scale: scale != 0),
    "input.mean": _numbers("one number, or one for each of 3 channels", math.isfinite),
    "input.std": _numbers("one number over 0, or one for each of 3 channels", lambda std: std > 0),
    "input.layout": _one_of("NCHW", "NHWC", "flat"),
    "input.dtype": _one_of("float32", "float64", "float16", "uint8", "int8", "int16", "int32", "int64"),
    "input.transform": _check_transform,
    "output.scores": _one_of(*KINDS),
    "output.use": _check_output,
    "output.unknown_below": _number("a score from 0 to 1", lambda score: 0 <= score <= 1),
    "model.args": _check_arguments,
    "model.state": _check_name,
}
