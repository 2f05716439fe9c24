"""Pictures made on the spot."""

import io
from importlib import resources
from typing import Any

from PIL import Image


def encoded(image: Image.Image, image_format: str = "PNG", **options: Any) -> bytes:
    """The picture as a file's bytes."""
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def grey(level: int, size: tuple[int, int] = (64, 64), image_format: str = "PNG") -> bytes:
    """A picture of one grey level."""
    return encoded(Image.new("L", size, level), image_format)


def digit_photo(digit: str) -> bytes:
    """A JPEG of a digit on paper, of those that ship with cvserve."""
    folder = resources.files("cvserve").joinpath("samples")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.startswith(f"digit-{digit}"))
    return folder.joinpath(names[0]).read_bytes()
