"""Turns any decoded picture into grey tones, with transparency laid onto the opposite of the pen's tone."""

from __future__ import annotations

import numpy as np
from PIL import Image

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
    colours = image.convert("RGB" if image.mode == "RGBA" else "L")
    lowest, highest = alpha.getextrema()
    if lowest == 255:
        return colours
    grey = colours.convert("L")
    if highest == 0:
        return Image.new("L", image.size, 255)
    opaque = np.asarray(alpha, dtype=np.float32)
    tone = float(np.average(np.asarray(grey), weights=opaque))
    opposite = 255 if tone < 128 else 0
    ground = round(tone) if float(opaque.mean()) > SHEET_SHARE * 255 else opposite
    return Image.composite(grey, Image.new("L", image.size, ground), alpha)
