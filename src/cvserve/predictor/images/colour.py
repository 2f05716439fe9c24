"""Every Pillow mode to the two that models see: grey and RGB, 8 bits a channel.

The rules: 16-bit grey keeps its upper 8 bits; `I` and `F` that fit in 0…255 are taken as such and wider
ones scaled by their own range of 16 bits; LAB is taken as CIE L*a*b* D50 to sRGB; transparency is laid on
white, unless the model asked to have it.
"""

from typing import cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cvserve.predictor.images.tiles import cut_tiles, map_tiles

_ALPHA_MODES = ("LA", "PA", "RGBA")
_LONG_MODES = ("I", "F")
_PREMULTIPLIED = {"La": "LA", "RGBa": "RGBA"}


def flatten(image: Image.Image, mode: str) -> Image.Image:
    """The picture in 8 bits a channel.

    Args:
        image: of any mode that Pillow knows.
        mode: `L`, `RGB`, or `ALPHA` (then the answer is L, RGB, LA or RGBA).
    """
    image.load()  # now, while the file is open and its errors are looked for
    if _has_alpha(image):
        if mode == "ALPHA" and image.mode in ("LA", "RGBA"):
            return image
    elif image.mode == mode or (mode == "ALPHA" and image.mode in ("L", "RGB")):
        return image
    is_wide = _is_wide(image)  # of the whole picture, not of one of its pieces
    return map_tiles(image, lambda tile: _flatten(tile, mode, is_wide=is_wide))


def to_pixels(image: Image.Image) -> NDArray[np.uint8]:
    """Get the values of a picture of mode L or RGB as an array uint8 [H, W] or [H, W, 3], read-only.

    What `numpy.asarray` gives, in half to two thirds of its time: every picture goes through here.
    """
    values = np.frombuffer(image.tobytes(), np.uint8)
    return values.reshape(image.height, image.width) if image.mode == "L" else values.reshape(*image.size[::-1], 3)


def _flatten(image: Image.Image, mode: str, *, is_wide: bool) -> Image.Image:
    image = _eight_bits(image, is_wide=is_wide)
    if _has_alpha(image):
        if mode == "ALPHA":
            return image.convert("LA" if image.mode in ("L", "LA", "1") else "RGBA")
        image = _on_white(image)
    if mode == "ALPHA":
        return image if image.mode in ("L", "RGB") else image.convert("L" if image.mode == "1" else "RGB")
    return image if image.mode == mode else image.convert(mode)


def _has_alpha(image: Image.Image) -> bool:
    return image.mode in _ALPHA_MODES or "transparency" in image.info


def _on_white(image: Image.Image) -> Image.Image:
    grey = image.mode in ("L", "LA", "1")
    layer = image.convert("RGBA")
    white = Image.new("RGBA", layer.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, layer).convert("L" if grey else "RGB")


def _is_wide(image: Image.Image) -> bool:
    """Whether values of 32 bits are to be taken as 16 bits: some are above 255."""
    if image.mode not in _LONG_MODES:
        return False
    return any(float(_read_long(tile).max(initial=0.0)) > 255.0 for tile in cut_tiles(image))


def _read_long(image: Image.Image) -> NDArray[np.float64]:
    return np.nan_to_num(np.asarray(image, dtype=np.float64), posinf=65535.0, neginf=0.0)


def _eight_bits(image: Image.Image, *, is_wide: bool) -> Image.Image:
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) // 257).astype(np.uint8))
    if image.mode in _LONG_MODES:
        values = _read_long(image)
        return Image.fromarray(np.clip(values / 257.0 if is_wide else values, 0, 255).astype(np.uint8))
    if image.mode == "LAB":
        return _lab_to_rgb(image)
    if image.mode == "HSV":
        return image.convert("RGB")
    if image.mode in _PREMULTIPLIED:
        return image.convert(_PREMULTIPLIED[image.mode])
    return image


def _lab_to_rgb(image: Image.Image) -> Image.Image:
    from PIL import ImageCms  # LAB comes from TIFF files and arrays only

    profiles = (ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"))
    return cast("Image.Image", ImageCms.profileToProfile(image, *profiles, outputMode="RGB"))
