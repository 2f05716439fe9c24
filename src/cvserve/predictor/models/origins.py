"""Where each value of `[input]` came from, and which of them are guesses.

A picture gets an answer whatever is guessed, only a wrong one, and nobody notices. So what changes the scores and was
neither said nor read from the file is called a guess, also where the usual value was taken for it.
"""

from collections.abc import Mapping
from typing import Any

from cvserve.predictor.models.input_spec import CROPS, InputSpec

FILE, DEFAULT, GUESSED = "file", "default", "guessed"
_CHANGES_SCORES = ("resize", "crop_ratio", "resample", "invert", "scale", "mean", "std")
_WHOLE_NUMBERS = ("uint8", "int8", "int16", "int32", "int64")


def find_origin(name: str, spec: InputSpec, said: Mapping[str, Any], defaults: Mapping[str, Any]) -> str:
    """Where a value came from that `model.toml` leaves open.

    Args:
        name: a field of `InputSpec`, but for `size` and `mode`.
        spec: all values.
        said: those that the file or `model.toml` says.
        defaults: those that suit the file's format.
    """
    if name in said:
        return FILE
    if name in defaults or name not in _CHANGES_SCORES or _is_idle(name, spec, said):
        return DEFAULT
    return GUESSED


def find_shape_origin(name: str, mode: str, said: Mapping[str, Any], features: int | None) -> str:
    """Where a size or a mode came from that was worked out, from the number of values in a picture or from nothing.

    That many values make a picture of this size when it is a square, which is a guess. Grey is sure where they cannot
    be colours; of colours it stays open whether red or blue comes first.

    Args:
        name: `size` or `mode`.
        mode: that was worked out or said.
        said: what the file or `model.toml` says.
        features: values in one picture, None when the file does not say.
    """
    if name == "size" or features is None or mode != "L":
        return GUESSED
    return FILE if "size" in said or features % 3 else GUESSED


def _is_idle(name: str, spec: InputSpec, said: Mapping[str, Any]) -> bool:
    """Whether another value would change nothing, or is not to be expected."""
    if name == "resample":
        return spec.resize == "exact"
    if name == "invert":
        return spec.mode != "L"  # ink on paper is asked for as light on dark; photos are not
    if name == "crop_ratio":
        return spec.resize not in CROPS or "short_side" in said
    return name in ("mean", "std") and spec.dtype in _WHOLE_NUMBERS
