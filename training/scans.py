"""Scanned handwriting of real people, split into parts for training, tuning and testing.

Two sources: 5,000 digits of 20x20 pixels from OpenCV's ``digits.png`` and 1,797 of 8x8 pixels from scikit-learn's
``load_digits``. Neither names its writers, but the digits of one person seem to stand together, so parts are cut as
blocks, never at random.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from sklearn.datasets import load_digits

OPENCV_DIGITS = Path("/usr/share/doc/opencv-doc/examples/data/digits.png")

Scan = tuple[NDArray[np.uint8], int]
"""Ink 0..255 (uint8 [side, side]) and its digit."""

OPENCV_BLOCKS = {"train": (0, 360), "tune": (360, 400), "test": (400, 500)}
LOAD_DIGITS_BLOCKS = {"train": (0, 1000), "tune": (1000, 1200), "test": (1200, 1797)}


@cache
def opencv_scans(part: str) -> tuple[Scan, ...]:
    """Digits of 20x20 pixels: 500 of each, 5 rows of 100 a digit."""
    with Image.open(OPENCV_DIGITS) as sheet:
        tones = np.asarray(sheet.convert("L"))
    first, last = OPENCV_BLOCKS[part]
    cells = tones.reshape(50, 20, 100, 20).swapaxes(1, 2).reshape(10, 500, 20, 20)
    return tuple((cells[digit, index], digit) for digit in range(10) for index in range(first, last))


@cache
def load_digits_scans(part: str) -> tuple[Scan, ...]:
    """Digits of 8x8 pixels with 17 tones."""
    bunch = load_digits()
    first, last = LOAD_DIGITS_BLOCKS[part]
    images = np.clip(bunch.images[first:last] * (255 / 16), 0, 255).astype(np.uint8)
    return tuple(zip(images, (int(digit) for digit in bunch.target[first:last]), strict=True))


@cache
def scans(part: str) -> tuple[Scan, ...]:
    """Both sources."""
    return opencv_scans(part) + load_digits_scans(part)


def traced(scan: NDArray[np.uint8], level: float) -> NDArray[np.uint8]:
    """Enlarge a scan to a smooth shape with sharp edges, as if it had been written large.

    Args:
        scan: ink 0..255, uint8 [side, side].
        level: share of the full tone where the outline runs, 0.3 (thick) to 0.6 (thin).

    Returns:
        Ink 0..255, uint8 [H, W], cropped to the ink.
    """
    padded = np.pad(scan, 2)
    big = Image.fromarray(padded).resize((192, 192), Image.Resampling.BICUBIC)
    big = big.filter(ImageFilter.GaussianBlur(192 / padded.shape[0] * 0.35))
    tones = np.asarray(big, dtype=np.float32)
    edge = (tones - level * tones.max()) / 24
    shape = np.clip(edge + 0.5, 0, 1)
    rows, columns = np.flatnonzero(shape.max(axis=1) > 0.5), np.flatnonzero(shape.max(axis=0) > 0.5)
    cut = shape[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return np.asarray(cut * 255, dtype=np.uint8)
