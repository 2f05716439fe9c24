"""Thirty photos of odd sizes, tall and wide, larger and smaller than what networks take."""

import io
from functools import cache

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images

COUNT = 30
_SMALLEST_PX = 48


@cache
def photo_files() -> dict[str, bytes]:
    """JPEG and PNG files by name: pieces of two photos, made larger and smaller."""
    rng = np.random.default_rng(3)
    whole = [Image.fromarray(pixels) for pixels in load_sample_images().images]
    found = {"whole.png": whole[0], "whole.jpg": whole[1], "exact.png": whole[0].resize((224, 224))}
    while len(found) < COUNT:
        number = len(found)
        photo = whole[number % len(whole)]
        width, height = (int(rng.integers(_SMALLEST_PX, side)) for side in photo.size)
        left, top = int(rng.integers(0, photo.width - width)), int(rng.integers(0, photo.height - height))
        piece = photo.crop((left, top, left + width, top + height))
        factor = rng.uniform(0.5, 1.6)
        found[f"piece-{number:02}.{'jpg' if number % 3 else 'png'}"] = piece.resize(
            (int(width * factor), int(height * factor))
        )
    return {name: _encode(name, picture) for name, picture in found.items()}


@cache
def lossless_files() -> dict[str, bytes]:
    """The same as PNG files."""
    return {name: _encode("photo.png", photo) for name, photo in photos().items()}


@cache
def photos() -> dict[str, Image.Image]:
    """The same as Pillow opens them, of mode RGB: what a framework's own pipeline begins with."""
    return {name: Image.open(io.BytesIO(data)).convert("RGB") for name, data in photo_files().items()}


def _encode(name: str, picture: Image.Image) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "JPEG" if name.endswith("jpg") else "PNG")
    return stream.getvalue()
