"""Tells pen from ground on a coarse picture of cells: which of the two is lighter, and where ink lies.

A cell is a square of 4x4 pixels of which only the darkest and the lightest are kept. A stroke darkens the first
and leaves the second, so a few hundred cells say where the ink is, at a fraction of the time of all the pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CELL_PX = 4
# A border whose tones spread less than this share of the picture's contrast is one flat ground.
FLAT_SHARE = 0.15
# Cells that the closing bridges: strokes narrower than this count as ink, wider ones as ground.
CLOSING_CELLS = 7


@dataclass(frozen=True, slots=True)
class Ink:
    """Where the ink lies.

    Attributes:
        light: True for a light pen on dark ground. All tones here are turned over then, so that ink is dark.
        flat: True where one tone fits the whole ground.
        ground: tone of the ground in each cell, float32 [rows, columns].
        peaks: how much darker than the ground each cell's darkest pixel is, float32 [rows, columns].
    """

    light: bool
    flat: bool
    ground: NDArray[np.float32]
    peaks: NDArray[np.float32]


def find_ink(tones: NDArray[np.uint8], tiny: bool) -> Ink:
    """Find the ground's tone and the ink above it.

    Args:
        tones: the grey picture, uint8 [H, W], both multiples of ``CELL_PX`` and at least 4 cells.
        tiny: the picture was enlarged; nobody photographs uneven light on a few pixels.
    """
    rows, columns = tones.shape[0] // CELL_PX, tones.shape[1] // CELL_PX
    strips = tones.reshape(rows, CELL_PX, columns * CELL_PX)
    lightest = strips.max(axis=1).reshape(rows, columns, CELL_PX).max(axis=2)
    darkest = strips.min(axis=1).reshape(rows, columns, CELL_PX).min(axis=2)
    ring = np.concatenate([cells[edge] for cells in (darkest, lightest) for edge in _EDGES])
    ring.sort()
    count = len(ring)
    ground = int(ring[count // 2])
    # Quartiles, as a digit may cover a part of the border.
    spread = int(ring[count * 3 // 4]) - int(ring[count // 4])
    few = max(rows * columns // 100, 1)
    dark_reach = ground - int(np.partition(darkest, few, axis=None)[few])
    light_reach = int(np.partition(lightest, -few - 1, axis=None)[-few - 1]) - ground
    if tiny or spread <= FLAT_SHARE * max(dark_reach, light_reach) + 3:
        light = light_reach > dark_reach
        bare = np.full(darkest.shape, 255 - ground if light else ground, dtype=np.float32)
        return Ink(light, True, bare, np.maximum(bare - (255 - lightest if light else darkest), 0))
    return _uneven(darkest, lightest)


_EDGES = (0, -1, (slice(1, -1), 0), (slice(1, -1), -1))


def _uneven(darkest: NDArray[np.uint8], lightest: NDArray[np.uint8]) -> Ink:
    """Uneven ground: try a dark and a light pen, and take the one that stands out more."""
    both = np.stack((lightest, 255 - darkest)).astype(np.float32)
    ground = _closed(_closed(both).swapaxes(1, 2)).swapaxes(1, 2)
    peaks = np.maximum(ground - np.stack((darkest, 255 - lightest)), 0)
    # Third powers weigh the few strong cells of a stroke over the many weak ones beside it.
    dark, light = (peaks * peaks * peaks).sum(axis=(1, 2))
    side = int(light > dark)
    return Ink(bool(side), False, ground[side], peaks[side])


def _closed(cells: NDArray[np.float32]) -> NDArray[np.float32]:
    """Morphological closing (Serra 1982) down the columns: running maximum, then running minimum.

    The minimum reaches one cell further, so that a cell across the edge of a shadow does not count as bright.
    Beyond its ends a slope that falls goes on falling, else a dark rim would look like ink.

    Args:
        cells: tones, [pictures, rows, columns].
    """
    rows, margin = cells.shape[1], CLOSING_CELLS
    mirror = np.minimum(np.arange(margin, 0, -1), rows - 1)
    first, last = cells[:, :1], cells[:, -1:]
    before = np.minimum(2 * first - cells[:, mirror], first)
    after = np.minimum(2 * last - cells[:, rows - 1 - mirror[::-1]], last)
    padded = np.concatenate((before, cells, after), axis=1)
    return _running(_running(padded, CLOSING_CELLS, np.maximum), CLOSING_CELLS + 2, np.minimum)


def _running(cells: NDArray[np.float32], length: int, pick: np.ufunc) -> NDArray[np.float32]:
    """Maximum or minimum of each ``length`` neighbours down the columns, by doubling; only whole windows."""
    reach = 1
    while reach < length:
        step = min(reach, length - reach)
        cells = pick(cells[:, step:], cells[:, :-step])
        reach += step
    return cells
