"""Contradictions: two values of `model.toml`, or one of its and one of the model file's, that exclude each other.

Each would give answers that look right and are wrong, so it is an error that names both sides.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvserve.errors import ModelLoadError
from cvserve.predictor.models.config.presets import PRESET
from cvserve.predictor.models.fault import ModelFault
from cvserve.predictor.models.input_spec import CROPS, InputSpec

# From 0 to 1 in whole numbers, only pure white is not 0.
_FEWEST_STEPS = 2
_WHITE = 255
# Numbers that were written with four digits may be above the largest value by that much.
_ROUNDING = 1.01
# Values up to this or more are pixels as they are, or nearly so.
_FEWEST_GREYS = 100
_UNITS = ("scale", "mean", "std")
# How much of their range two ways to scale pixels may be apart and mean the same: 1/255 and 1/256.
_LITTLE = 0.02


def check_order(stated: Sequence[str], source: str, known: Sequence[str], file_name: str) -> None:
    """Refuse the labels of a model file in another order. Other words for the classes are fine.

    Args:
        stated: the labels that the user wrote.
        source: name of the file in which they stand.
        known: names of the classes in the model file, as many.
        file_name: of the model file.

    Raises:
        ModelLoadError: the same names in another order.
    """
    if tuple(stated) == tuple(known) or set(stated) != set(known):
        return
    index = next(at for at, (one, other) in enumerate(zip(stated, known, strict=True)) if one != other)
    raise ModelLoadError(
        f"{source} calls class {index} '{stated[index]}', but '{file_name}' calls it '{known[index]}': the same "
        f"labels in another order; write them in the order of '{file_name}', or remove them from {source}."
    )


def check_alone(values: Mapping[str, Any]) -> None:
    """Refuse keys that a transform makes idle.

    Args:
        values: of a `model.toml`, by key.

    Raises:
        ModelFault: there are some; to be used in `about(…)`.
    """
    others = [key for key in values if key.startswith("input.") and key != "input.transform"]
    if "input.transform" in values and others:
        names = ", ".join(key.removeprefix("input.") for key in others)
        raise ModelFault(
            f"has a transform, which makes the whole array, and {names} beside it, which would be idle; keep one of "
            "the two."
        )


def check_input(spec: InputSpec, stated: Sequence[str], source: str, doubled: str | None = None) -> None:
    """Refuse values of `[input]` that exclude each other.

    Args:
        spec: all values, those that `model.toml` leaves open included.
        stated: keys that stand in `model.toml`, e.g. `crop_ratio`.
        source: name of that file.
        doubled: of `describe_doubled`: what is wrong with values that are in the wrong unit.

    Raises:
        ModelLoadError: two exclude each other.
    """
    for key in ("mean", "std"):
        numbers = getattr(spec, key)
        if len(numbers) not in (1, spec.channels):
            raise ModelLoadError(
                f"{key} in {source} has {len(numbers)} numbers, but the picture has {spec.channels} channel "
                f'(mode "{spec.mode}"); write one number.'
            )
    _check_crop(spec, stated, source)
    if {*_UNITS} & set(stated):  # what a file says by itself may be as odd as it likes
        _check_units(spec, source, doubled)
    _check_range(spec, source)


def describe_doubled(
    spec: InputSpec, takes: Mapping[str, Any], origins: Mapping[str, str], title: str, source: str
) -> str | None:
    """Say that pixels would be scaled or shifted twice: by `[input]`, and by the model. None when they are not.

    Args:
        spec: all values.
        takes: `scale`, `mean` and `std` of the pixels that the model takes.
        origins: of the values in `model.toml`, by key.
        title: what the model does: "'m.onnx' divides by 255 itself".
        source: name of the `model.toml`.
    """
    keys = [key for key in _UNITS if key in origins and set(_numbers_of(spec, key)) != set(_as_tuple(takes[key]))]
    low, high = _find_ends(spec)
    top = _WHITE * takes["scale"]
    if not keys or (np.allclose(low, 0, atol=_LITTLE * top) and np.allclose(high, top, rtol=_LITTLE)):
        return None
    presets = sorted({origins[key] for key in keys if origins[key].startswith(PRESET)})
    says = " and ".join([*presets, *(_name_numbers(spec, [key], 1) for key in keys if origins[key] not in presets)])
    twice = "scaled twice, to " if (high - low).max() < top else ""
    cure = " and ".join(f"{key} = {_as_tuple(takes[key])[0]!r}" for key in keys)
    return (
        f"{title}, and {source} says {says}: the pixels would be {twice}{low.min():.3g}…{high.max():.3g} in place of "
        f"0…{top:g}; write {cure}{' beside it' if presets else ''}."
    )


def _check_crop(spec: InputSpec, stated: Sequence[str], source: str) -> None:
    """What a centre is cut out of is said once, and not where nothing is cut."""
    if spec.resize in CROPS:
        if "crop_ratio" in stated and "short_side" in stated:
            raise ModelLoadError(
                f"{source} has short_side = {spec.short_side} and crop_ratio = {spec.crop_ratio:g}, which say the same "
                "in two ways; keep one of the two."
            )
        return
    for key in ("crop_ratio", "short_side", "crop_rounding"):
        value = getattr(spec, key)
        if key in stated and (key, value) != ("crop_ratio", 1):
            shown = f'"{value}"' if isinstance(value, str) else f"{value:g}"
            raise ModelLoadError(
                f'{key} = {shown} in {source} is for resize = "crop", but resize is "{spec.resize}"; '
                f'write resize = "crop", or remove {key}.'
            )


def _check_units(spec: InputSpec, source: str, doubled: str | None) -> None:
    """Refuse mean and standard deviation in another unit than that of the values, which `scale` makes.

    A mean above the largest value would make all pictures look almost alike, and no values deviate by twice their
    range. The other way round, numbers that are all under 1 are not those of pixels 0…255.
    """
    largest = _WHITE * abs(spec.scale)
    limits = {"mean": largest * _ROUNDING, "std": 2 * max(1.0, largest)}
    of_pixels = [key for key, limit in limits.items() if max(getattr(spec, key)) > limit]
    if of_pixels and spec.scale > 0:
        raise ModelLoadError(
            doubled
            or f"{_name_numbers(spec, of_pixels, 1)} in {source} {_are(of_pixels)} for pixels 0…255, but scale = "
            f"{spec.scale:.6g} makes them 0…{largest:.4g}; write scale = 1, or "
            f"{_name_numbers(spec, of_pixels, 1 / _WHITE)} with scale = {1 / _WHITE!r}."
        )
    is_of_unit = all(0 < number <= 1 for number in spec.mean) and all(number < 1 for number in spec.std)
    if is_of_unit and largest >= _FEWEST_GREYS:
        raise ModelLoadError(
            doubled
            or f"{_name_numbers(spec, ['mean', 'std'], 1)} in {source} are for pixels 0…1, but scale = "
            f"{spec.scale:.6g} makes them 0…{largest:.4g}; write scale = {1 / _WHITE!r}, or "
            f"{_name_numbers(spec, ['mean', 'std'], _WHITE)} with scale = 1."
        )


def _name_numbers(spec: InputSpec, keys: Sequence[str], factor: float) -> str:
    """As they would stand in `model.toml`, in another unit: `mean = 127.5 and std = [58.4, 57.1, 57.4]`."""
    texts = []
    for key in keys:
        numbers = [f"{number * factor:.6g}" for number in _numbers_of(spec, key)]
        texts.append(f"{key} = {numbers[0]}" if len(numbers) == 1 else f"{key} = [{', '.join(numbers)}]")
    return " and ".join(texts)


def _numbers_of(spec: InputSpec, key: str) -> tuple[float, ...]:
    return _as_tuple(getattr(spec, key))


def _as_tuple(value: float | tuple[float, ...]) -> tuple[float, ...]:
    return value if isinstance(value, tuple) else (value,)


def _find_ends(spec: InputSpec) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The lowest and the highest value of each channel: what black and white become."""
    ends = np.array([[0.0], [255.0]]) * spec.scale
    with np.errstate(over="ignore"):  # infinity is too large for every type, and refused where that is checked
        low, high = np.sort((ends - np.array(spec.mean)) / np.array(spec.std), axis=0)
    return low, high


def _are(keys: Sequence[str]) -> str:
    return "are" if len(keys) > 1 else "is"


def _check_range(spec: InputSpec, source: str) -> None:
    """Black and white must fit into the type of the array, and not become one value in it."""
    low, high = _find_ends(spec)
    dtype = np.dtype(spec.dtype)
    limits = np.iinfo(dtype) if dtype.kind in "iu" else np.finfo(dtype)
    gives = f"scale, mean and std give values from {low.min():.6g} to {high.max():.6g}"
    if low.min() < float(limits.min) or high.max() > float(limits.max):
        raise ModelLoadError(
            f'dtype is "{spec.dtype}", which holds {limits.min:.6g} to {limits.max:.6g}, but {gives}; '
            f"correct one of the four in {source}."
        )
    if dtype.kind in "iu" and (np.trunc(high) - np.trunc(low)).min() < _FEWEST_STEPS:
        raise ModelLoadError(
            f'dtype is "{spec.dtype}", which holds whole numbers, but {gives}, so that every picture would look the '
            f"same; write scale = 1.0 into {source}, or another dtype."
        )
