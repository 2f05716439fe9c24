"""What an image processor of transformers does, in the words of `[input]`: to show it, and to change one of them."""

from typing import Any

# Pillow's numbers of filters, which stand in `preprocessor_config.json`
_RESAMPLE = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box"}
# Up to here ConvNext's processor cuts out the centre; from here on it stretches.
_CONVNEXT_STRETCHES_PX = 384


def describe_input(processor: Any) -> dict[str, Any]:
    """Fields of `InputSpec` that come closest to an image processor.

    Args:
        processor: of transformers.

    Returns:
        What is known of it; no `size` when it does not fix one.
    """
    return {**_describe_size(processor), **_describe_values(processor)}


def _describe_size(processor: Any) -> dict[str, Any]:
    size, cut = getattr(processor, "size", None), getattr(processor, "crop_size", None)
    said: dict[str, Any] = {}
    if not getattr(processor, "do_resize", False) or size is None:
        return said
    resample = _RESAMPLE.get(int(getattr(processor, "resample", None) or 0))
    said |= {} if resample is None else {"resample": resample}
    short_px, ratio = getattr(size, "shortest_edge", None), getattr(processor, "crop_pct", None)
    if short_px and ratio and type(processor).__name__.startswith("ConvNext"):
        if short_px >= _CONVNEXT_STRETCHES_PX:
            return {**said, "size": (short_px, short_px), "resize": "stretch"}
        return {**said, "size": (short_px, short_px), **_crop(int(short_px / ratio))}
    if getattr(processor, "do_center_crop", False) and cut is not None and cut.height and cut.width and short_px:
        return {**said, "size": (cut.width, cut.height), **_crop(short_px)}
    if size.height and size.width and not getattr(processor, "do_center_crop", False):
        return {**said, "size": (size.width, size.height), "resize": "stretch"}
    return said


def _crop(short_px: int) -> dict[str, Any]:
    return {"resize": "crop", "short_side": short_px, "crop_rounding": "down"}


def _describe_values(processor: Any) -> dict[str, Any]:
    said: dict[str, Any] = {"scale": processor.rescale_factor if getattr(processor, "do_rescale", False) else 1.0}
    if getattr(processor, "do_flip_channel_order", False):
        said["mode"] = "BGR"
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    if getattr(processor, "do_normalize", False):
        mean, std = _numbers(processor.image_mean), _numbers(processor.image_std)
    if getattr(processor, "rescale_offset", False):  # EfficientNet: from -1 on
        mean = tuple(value + 1.0 for value in mean)
    if getattr(processor, "include_top", False):  # EfficientNet: divided once more
        std = tuple(value * value for value in std)
    return {**said, "mean": mean, "std": std}


def _numbers(value: Any) -> tuple[float, ...]:
    return tuple(map(float, value)) if isinstance(value, (list, tuple)) else (float(value),)
