"""Digits drawn on the spot."""

from PIL import Image, ImageDraw

from support.pictures import encoded


def drawn_four(image_format: str = "JPEG") -> bytes:
    """A 4 in dark strokes on light paper, 640×480."""
    image = Image.new("RGB", (640, 480), (228, 226, 220))
    pen = ImageDraw.Draw(image)
    pen.line([(360, 80), (200, 300), (440, 300)], fill=(40, 40, 60), width=24, joint="curve")
    pen.line([(380, 180), (372, 420)], fill=(40, 40, 60), width=24)
    return encoded(image, image_format)
