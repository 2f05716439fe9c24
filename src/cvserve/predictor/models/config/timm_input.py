"""How timm feeds a model, `create_transform` of its configuration, in the words of `[input]`."""

from collections.abc import Mapping
from typing import Any

# Keys of a configuration of timm (`pretrained_cfg`) that are about pictures
TIMM_INPUT = ("input_size", "interpolation", "crop_pct", "crop_mode", "mean", "std")
# timm's `crop_mode`; "border" pads with the mean colour.
_RESIZE_OF_CROP_MODE = {"center": "crop", "squash": "squash"}
_MODE_OF_CHANNELS = {1: "L", 3: "RGB"}
_RESAMPLE = ("bilinear", "bicubic")
_MAX_SIDE_PX, _MIN_CROP = 4096, 0.1


def describe_timm_input(cfg: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of `InputSpec` for pictures as timm evaluates a model with them.

    Args:
        cfg: its configuration, with all keys of `TIMM_INPUT`; `input_size` is (channels, height, width).

    Raises:
        ValueError: `[input]` cannot say it, or it is no such configuration.
    """
    try:
        channels, height, width = cfg["input_size"]
        # A picture is made larger by the crop before its centre is cut out.
        if not (
            min(height, width) > 0
            and _MIN_CROP <= cfg["crop_pct"] <= 1
            and max(height, width) / cfg["crop_pct"] <= _MAX_SIDE_PX
        ):
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
