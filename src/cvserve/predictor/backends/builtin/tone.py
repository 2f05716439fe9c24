"""Turns any decoded picture into grey tones, with transparency laid onto the opposite of the pen's tone."""

from __future__ import annotations

import numpy as np
from PIL import Image

from cvserve.predictor.images.tiles import cut_tiles, map_tiles

# Above this share of opaque pixels the picture is a sheet with holes, not a drawing on nothing.
SHEET_SHARE = 0.6


def to_grey(image: Image.Image, side_px: int) -> Image.Image:
    """Give the picture in grey, shrunk so that its short side keeps at least ``side_px`` pixels.

    Args:
        image: mode "L", "LA", "RGB" or "RGBA", 1x1 pixels or more.
        side_px: pixels that the short side must keep if it has them.

    Returns:
        An image of mode "L".
    """
    if image.mode in ("LA", "RGBA"):
        image = _without_alpha(image)
    factor = min(image.size) // side_px
    if factor >= 2:
        # Shrinking before the conversion to grey reads each pixel once, as plain box averages.
        image = image.reduce(factor)
    return image if image.mode == "L" else image.convert("L")


def _without_alpha(image: Image.Image) -> Image.Image:
    """Lay a transparent picture onto the tone that lets its opaque part stand out."""
    alpha = image.getchannel("A")
    lowest, highest = alpha.getextrema()
    if lowest == 255:
        return image.convert("RGB" if image.mode == "RGBA" else "L")
    if highest == 0:
        return Image.new("L", image.size, 255)
    grey = map_tiles(image, lambda tile: tile.convert("RGB" if tile.mode == "RGBA" else "L").convert("L"))
    tone, cover = _weigh(grey, alpha)
    opposite = 255 if tone < 128 else 0
    ground = round(tone) if cover > SHEET_SHARE * 255 else opposite
    return Image.composite(grey, Image.new("L", image.size, ground), alpha)


def _weigh(grey: Image.Image, alpha: Image.Image) -> tuple[float, float]:
    """The mean tone, each pixel as much as it is opaque, and the mean of that, both 0…255."""
    weighted = weights = 0
    for tones, opaque in zip(cut_tiles(grey), cut_tiles(alpha), strict=True):
        weight = np.asarray(opaque)
        weighted += int(np.multiply(np.asarray(tones), weight, dtype=np.uint32).sum(dtype=np.uint64))
        weights += int(weight.sum(dtype=np.uint64))
    return weighted / weights, weights / (alpha.width * alpha.height)
