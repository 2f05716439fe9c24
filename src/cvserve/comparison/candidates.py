"""Values of `[input]` that are often the right ones where those that are written are wrong."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

from cvserve.predictor.models.config.presets import PRESETS
from cvserve.predictor.models.input_spec import CROPS, InputSpec

VALUES = ("scale", "mean", "std")

Change = dict[str, Any]
_COLOUR: tuple[Change, ...] = (
    {"scale": 1 / 255, "mean": (0.0,), "std": (1.0,)},
    {"scale": 1.0, "mean": (0.0,), "std": (1.0,)},
    {"scale": 1.0, "mean": (123.68, 116.779, 103.939), "std": (1.0,)},
    *({key: preset[key] for key in VALUES} for preset in PRESETS.values()),
)
_GREY: tuple[Change, ...] = (
    {"scale": 1 / 255, "mean": (0.0,), "std": (1.0,)},
    {"scale": 1.0, "mean": (0.0,), "std": (1.0,)},
    {"scale": 1 / 255, "mean": (0.5,), "std": (0.5,)},
    {"scale": 1 / 255, "mean": (0.1307,), "std": (0.3081,)},
)
_FITS: tuple[Change, ...] = (
    {"resize": "stretch", "crop_ratio": 1.0},
    {"resize": "crop", "crop_ratio": 1.0},
    {"resize": "crop", "crop_ratio": 0.95},
    {"resize": "crop", "crop_ratio": 0.9},
    {"resize": "crop", "crop_ratio": 0.875},
    {"resize": "crop", "crop_ratio": 224 / 232},
    {"resize": "squash", "crop_ratio": 0.875},
    {"resize": "pad", "crop_ratio": 1.0},
)
_FILTERS: tuple[Change, ...] = tuple(
    {"resample": name} for name in ("bilinear", "bicubic", "nearest", "lanczos", "box")
)
_ROUNDINGS: tuple[Change, ...] = ({"crop_rounding": "down"}, {"crop_rounding": "nearest"})


def list_groups(spec: InputSpec) -> list[list[Change]]:
    """Groups of changes, of each of which one is right: what belongs together is tried together."""
    return [
        [{"decode": "exact"}],
        _list_colours(spec),
        [{**fit, **filter_} for fit in _list_fits(spec) for filter_ in _FILTERS],
        list(_ROUNDINGS),
        [{"size": spec.size[::-1]}],
    ]


def list_pairs(spec: InputSpec) -> list[InputSpec]:
    """Other colours together with another fit: two faults, each of which hides the other."""
    sizes = dict.fromkeys((spec.size, spec.size[::-1]))
    fits = [{**fit, "size": size} for size in sizes for fit in _list_fits(spec)]
    colours = vary(spec, [{}, *_list_colours(spec)])
    return list(dict.fromkeys(both for one in colours for both in vary(one, fits)))


def list_finishes(spec: InputSpec) -> list[InputSpec]:
    """The small differences: the filter, and where a centre begins."""
    return vary(spec, [{}, *({**filter_, **rounding} for filter_ in _FILTERS for rounding in _ROUNDINGS)])


def vary(spec: InputSpec, changes: Iterable[Change]) -> list[InputSpec]:
    """The values with each of the changes, each only once."""
    return list(dict.fromkeys(dataclasses.replace(spec, **change) for change in changes))


def complete(spec: InputSpec, change: Change) -> Change:
    """A change with what it rules out: a `model.toml` is refused that says how to crop where nothing is cropped.

    Args:
        spec: the values before.
        change: to them.

    Returns:
        The change; None for a key that has to go.
    """
    if change.get("resize", spec.resize) in CROPS:
        return change
    idle: Sequence[tuple[str, Any, Any]] = (
        ("crop_ratio", 1.0, 1.0),
        ("short_side", None, None),
        ("crop_rounding", "nearest", None),
    )
    return change | {key: written for key, default, written in idle if getattr(spec, key) != default}


def _list_colours(spec: InputSpec) -> list[Change]:
    values = _GREY if spec.channels == 1 else _COLOUR
    modes: list[Change] = [{}] if spec.channels == 1 else [{"mode": "RGB"}, {"mode": "BGR"}]
    return [{**value, **mode, "invert": invert} for value in values for mode in modes for invert in (False, True)]


def _list_fits(spec: InputSpec) -> list[Change]:
    """Ways to cut or stretch; frameworks decode all of a picture before."""
    own = {key: getattr(spec, key) for key in ("resize", "crop_ratio", "short_side")}
    return [{**fit, "decode": "exact"} for fit in (own, *(_say_as(spec, fit) for fit in _FITS))]


def _say_as(spec: InputSpec, fit: Change) -> Change:
    """A fit by the key that the values have: `short_side` in place of `crop_ratio`, which it goes before."""
    width, height = spec.size
    if spec.short_side is None or width != height or fit["resize"] not in CROPS:
        return {**fit, "short_side": None}
    side, _ = dataclasses.replace(spec, **fit, short_side=None).scaled_size
    return {"resize": fit["resize"], "short_side": side}
