"""How timm feeds a model, `create_transform` of its configuration, in the words of `[input]`."""

from collections.abc import Mapping
from typing import Any

# Keys of a configuration of timm (`pretrained_cfg`) that are about pictures
TIMM_INPUT = ("input_size", "interpolation", "crop_pct", "crop_mode", "mean", "std")
# timm's `crop_mode`; "border" pads with the mean colour.
_RESIZE_OF_CROP_MODE = {"center": "crop", "squash": "squash"}
_MODE_OF_CHANNELS = {1: "L", 3: "RGB"}
_RESAMPLE = ("bilinear", "bicubic")
_MAX_SIDE_PX = 4096


def describe_timm_input(cfg: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of `InputSpec` for pictures as timm evaluates a model with them.

    Args:
        cfg: its configuration, with all keys of `TIMM_INPUT`; `input_size` is (channels, height, width).

    Raises:
        ValueError: `[input]` cannot say it, or it is no such configuration.
    """
    try:
        channels, height, width = cfg["input_size"]
        if not (0 < height <= _MAX_SIDE_PX and 0 < width <= _MAX_SIDE_PX and 0 < cfg["crop_pct"] <= 1):
            raise ValueError(cfg)
        if cfg["interpolation"] not in _RESAMPLE:
            raise ValueError(cfg["interpolation"])
        return {
            "size": (int(width), int(height)),
            "mode": _MODE_OF_CHANNELS[channels],
            # timm decodes all of a JPEG, and whoever names it wants its answer.
            "decode": "exact",
            "scale": 1 / 255,
            "resize": _RESIZE_OF_CROP_MODE[cfg["crop_mode"]],
            "crop_ratio": float(cfg["crop_pct"]),
            "resample": str(cfg["interpolation"]),
            "mean": tuple(map(float, cfg["mean"])),
            "std": tuple(map(float, cfg["std"])),
        }
    except (TypeError, KeyError) as error:
        raise ValueError(cfg) from error
