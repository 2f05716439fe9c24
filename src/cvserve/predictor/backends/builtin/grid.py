"""Brings the ink of one digit to a small grid: fixed pen width, fixed size, centred."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cvserve.predictor.backends.builtin.resampling import averages

GRID_SIDE = 20
# The digit's long side on the grid; the rest is margin.
DIGIT_SIDE = 18
# Pen width to reach, as a share of the digit's long side.
PEN_SHARE = 0.12
# Empty pixels around the digit, so that its strokes have room to grow.
PEN_MARGIN_PX = 3
MAX_THICKER_PX = 3.0
# Thinning is held back: it would eat the thin parts of a stroke before the thick ones are thin.
MAX_THINNER_PX = 1.2


def pen_width_px(ink: NDArray[np.float32]) -> float:
    """Mean width of the strokes: twice the area over the length of the outline.

    Args:
        ink: coverage 0..1, [H, W].
    """
    outline = float(np.abs(ink[1:] - ink[:-1]).sum() + np.abs(ink[:, 1:] - ink[:, :-1]).sum())
    # A slanted edge is counted once per axis: 4/pi times its length on average over all directions.
    return 2.0 * float(ink.sum()) / max(outline * 0.785, 1e-6)


def with_pen_width(ink: NDArray[np.float32], width_px: float, wanted_px: float) -> NDArray[np.float32]:
    """Thicken or thin the strokes by grey dilation or erosion, one pixel a side at a time.

    Args:
        ink: coverage 0..1, [H, W].
        width_px: what ``pen_width_px`` gave.
        wanted_px: the width to reach.

    Returns:
        Coverage 0..1, [H, W]; the last step is mixed in by its fraction.
    """
    thicker = wanted_px > width_px
    steps = min(abs(wanted_px - width_px) / 2, MAX_THICKER_PX if thicker else MAX_THINNER_PX)
    pick = np.maximum if thicker else np.minimum
    while steps > 0.05:
        share = min(steps, 1.0)
        stepped = _step(ink, pick)
        ink = stepped if share == 1.0 else ink + (stepped - ink) * np.float32(share)
        steps -= 1.0
    return ink


def _step(ink: NDArray[np.float32], pick: np.ufunc) -> NDArray[np.float32]:
    """The largest or smallest of each pixel's 3x3 neighbourhood, rows first, then columns."""
    rows = ink.copy()
    pick(rows[1:], ink[:-1], out=rows[1:])
    pick(rows[:-1], ink[1:], out=rows[:-1])
    both = rows.copy()
    pick(both[:, 1:], rows[:, :-1], out=both[:, 1:])
    pick(both[:, :-1], rows[:, 1:], out=both[:, :-1])
    return both


def to_grid(ink: NDArray[np.float32]) -> NDArray[np.float32]:
    """Fit the ink's box into the grid by area averages, centred by its box.

    Args:
        ink: coverage 0..1, [H, W], cropped to the ink.

    Returns:
        Coverage 0..1, float32 [GRID_SIDE * GRID_SIDE], row by row.
    """
    height, width = ink.shape
    scale = DIGIT_SIDE / max(height, width)
    tall, wide = max(round(height * scale), 1), max(round(width * scale), 1)
    grid = np.zeros((GRID_SIDE, GRID_SIDE), dtype=np.float32)
    top, left = (GRID_SIDE - tall) // 2, (GRID_SIDE - wide) // 2
    grid[top : top + tall, left : left + wide] = averages(height, tall) @ ink @ averages(width, wide).T
    return grid.ravel()
