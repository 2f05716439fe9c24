"""Digits drawn by this script as pen strokes: several ways of writing each digit, bent at random."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

SIDE_PX = 160

Point = tuple[float, float]

# Each way of writing a digit is a list of strokes; each stroke a list of points in a box 0..1, y downwards.
# Curves run smoothly through the points; a stroke that repeats a point has a corner there.
WAYS: dict[int, list[list[list[Point]]]] = {
    0: [
        [[(0.5, 0), (0.12, 0.3), (0.1, 0.7), (0.5, 1), (0.9, 0.7), (0.88, 0.3), (0.5, 0)]],
        [[(0.62, 0.02), (0.2, 0.2), (0.08, 0.6), (0.4, 1), (0.85, 0.7), (0.85, 0.25), (0.45, 0.02)]],
    ],
    1: [
        [[(0.5, 0), (0.5, 1)]],
        [[(0.55, 0), (0.45, 1)]],
        [[(0.2, 0.28), (0.55, 0), (0.55, 0), (0.55, 1)]],
        [[(0.1, 0.4), (0.6, 0), (0.6, 0), (0.58, 1)]],
        [[(0.25, 0.22), (0.52, 0), (0.52, 0), (0.52, 1)], [(0.2, 1), (0.84, 1)]],
    ],
    2: [
        [[(0.1, 0.25), (0.45, 0), (0.85, 0.25), (0.55, 0.62), (0.1, 1), (0.1, 1), (0.92, 1)]],
        [[(0.3, 0.2), (0.75, 0.05), (0.7, 0.45), (0.15, 0.95), (0.15, 0.95), (0.5, 0.85), (0.9, 1)]],
        [[(0.12, 0.2), (0.5, 0), (0.85, 0.3), (0.5, 0.75), (0.12, 0.95), (0.25, 0.75), (0.5, 0.9), (0.95, 0.97)]],
        [[(0.1, 0.1), (0.6, 0.02), (0.8, 0.3), (0.1, 0.98), (0.1, 0.98), (0.9, 0.92)]],
    ],
    3: [
        [[(0.12, 0.15), (0.5, 0), (0.82, 0.22), (0.4, 0.47), (0.4, 0.47), (0.88, 0.72), (0.5, 1), (0.1, 0.87)]],
        [[(0.1, 0.02), (0.85, 0.02), (0.85, 0.02), (0.42, 0.4), (0.42, 0.4), (0.9, 0.7), (0.45, 1), (0.08, 0.85)]],
        [[(0.2, 0.08), (0.7, 0.05), (0.7, 0.4), (0.35, 0.48), (0.8, 0.55), (0.75, 0.95), (0.15, 0.95)]],
    ],
    4: [
        [[(0.6, 0), (0.08, 0.68), (0.08, 0.68), (0.95, 0.68)], [(0.7, 0.35), (0.7, 1)]],
        [[(0.2, 0), (0.15, 0.5), (0.15, 0.5), (0.85, 0.5)], [(0.8, 0), (0.75, 1)]],
        [[(0.7, 1), (0.7, 0), (0.7, 0), (0.05, 0.65), (0.05, 0.65), (0.95, 0.65)]],
        [[(0.15, 0.05), (0.12, 0.45), (0.5, 0.55), (0.85, 0.45)], [(0.85, 0.02), (0.8, 1)]],
    ],
    5: [
        [[(0.85, 0), (0.2, 0), (0.2, 0), (0.15, 0.45), (0.15, 0.45), (0.6, 0.38), (0.88, 0.7), (0.5, 1), (0.1, 0.9)]],
        [[(0.22, 0.02), (0.18, 0.45), (0.18, 0.45), (0.75, 0.5), (0.75, 0.92), (0.1, 0.95)], [(0.2, 0.02), (0.88, 0)]],
        [[(0.9, 0.02), (0.35, 0.05), (0.2, 0.4), (0.65, 0.5), (0.75, 0.85), (0.4, 1), (0.08, 0.88)]],
    ],
    6: [
        [[(0.75, 0), (0.25, 0.35), (0.12, 0.75), (0.5, 1), (0.88, 0.78), (0.5, 0.5), (0.15, 0.75)]],
        [[(0.5, 0), (0.15, 0.5), (0.2, 0.95), (0.75, 0.95), (0.8, 0.6), (0.45, 0.55), (0.18, 0.8)]],
        [[(0.3, 0), (0.12, 0.6), (0.45, 1), (0.85, 0.8), (0.6, 0.55), (0.2, 0.8)]],
        [[(0.75, 0.03), (0.3, 0.15), (0.08, 0.6), (0.45, 1), (0.9, 0.72), (0.62, 0.42), (0.34, 0.6), (0.4, 0.78)]],
        [[(0.85, 0.1), (0.5, 0), (0.12, 0.45), (0.4, 1), (0.85, 0.75), (0.6, 0.4), (0.2, 0.55)]],
    ],
    7: [
        [[(0.1, 0.02), (0.9, 0.02), (0.9, 0.02), (0.45, 1)]],
        [[(0.1, 0.02), (0.9, 0.02), (0.9, 0.02), (0.4, 1)], [(0.3, 0.52), (0.85, 0.48)]],
        [[(0.08, 0.18), (0.12, 0.03), (0.12, 0.03), (0.88, 0.05), (0.88, 0.05), (0.55, 0.5), (0.5, 1)]],
        [[(0.05, 0.1), (0.5, 0.06), (0.9, 0), (0.9, 0), (0.6, 0.55), (0.45, 1)]],
    ],
    8: [
        [[(0.8, 0.15), (0.45, 0), (0.2, 0.25), (0.8, 0.7), (0.5, 1), (0.15, 0.75), (0.75, 0.3), (0.78, 0.12)]],
        [
            [(0.5, 0), (0.2, 0.22), (0.5, 0.47), (0.8, 0.22), (0.5, 0)],
            [(0.5, 0.47), (0.1, 0.75), (0.5, 1), (0.9, 0.75), (0.5, 0.47)],
        ],
        [[(0.5, 0.48), (0.2, 0.2), (0.5, 0), (0.8, 0.2), (0.5, 0.48), (0.15, 0.78), (0.5, 1), (0.85, 0.78),
          (0.5, 0.48)]],
    ],
    9: [
        [[(0.85, 0.2), (0.5, 0), (0.15, 0.28), (0.5, 0.52), (0.85, 0.25), (0.85, 0.25), (0.8, 1)]],
        [[(0.85, 0.25), (0.5, 0), (0.15, 0.28), (0.5, 0.52), (0.85, 0.25), (0.8, 0.7), (0.5, 1), (0.15, 0.9)]],
        [[(0.8, 0.1), (0.3, 0.05), (0.2, 0.4), (0.7, 0.4), (0.85, 0.05), (0.85, 0.05), (0.6, 1)]],
        [[(0.62, 0.25), (0.66, 0.42), (0.38, 0.58), (0.1, 0.3), (0.5, 0), (0.92, 0.4), (0.7, 0.85), (0.25, 0.97)]],
        [[(0.8, 0.45), (0.4, 0.6), (0.15, 0.25), (0.6, 0), (0.88, 0.55), (0.5, 1), (0.15, 0.9)]],
    ],
}  # fmt: skip


def _curve(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Run a Catmull-Rom spline through the points; a doubled point makes a corner."""
    ends = np.concatenate((points[:1], points, points[-1:]))
    share = np.linspace(0, 1, 12, endpoint=False)[:, None]
    pieces = []
    for before, start, end, after in zip(ends, ends[1:], ends[2:], ends[3:], strict=False):
        if np.allclose(start, end):
            continue
        into = (end - before) / 2 if not np.allclose(before, start) else (end - start) / 2
        out = (after - start) / 2 if not np.allclose(after, end) else (end - start) / 2
        cubic = 2 * (start - end) + into + out
        square = 3 * (end - start) - 2 * into - out
        pieces.append(((cubic * share + square) * share + into) * share + start)
    return np.concatenate((*pieces, points[-1:]))


def draw(digit: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Write one digit in one of its ways, with bent points and a random pen.

    Returns:
        Ink 0..255, uint8 [H, W], cropped to the ink.
    """
    ways = WAYS[digit]
    way = ways[int(rng.integers(len(ways)))]
    width, pen_px = rng.uniform(0.45, 0.85), rng.uniform(4, 26)
    image = Image.new("L", (SIDE_PX * 2, SIDE_PX * 2))
    pen = ImageDraw.Draw(image)
    stretch = np.array([width, 1.0]) * SIDE_PX
    bend = rng.normal(0, 0.035)
    for stroke in way:
        points = np.array(stroke)
        shift = rng.normal(0, 0.035, points.shape)
        doubled = np.flatnonzero((points[1:] == points[:-1]).all(axis=1)) + 1
        shift[doubled] = shift[doubled - 1]
        points = points + shift
        points[:, 0] += bend * np.sin(points[:, 1] * 3)
        line = _curve(points) * stretch + SIDE_PX / 2
        pen.line([(x, y) for x, y in line], fill=255, width=round(pen_px), joint="curve")
        for x, y in (line[0], line[-1]):
            pen.ellipse((x - pen_px / 2, y - pen_px / 2, x + pen_px / 2, y + pen_px / 2), fill=255)
    return np.asarray(image.crop(image.getbbox()))
