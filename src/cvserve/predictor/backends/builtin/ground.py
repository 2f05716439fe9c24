"""Tells pen from ground on a coarse picture of cells: which of the two is lighter, and where ink lies.

A cell is a square of 4x4 pixels of which only the darkest and the lightest are kept. A stroke darkens the first
and leaves the second, so a few hundred cells say where the ink is, at a fraction of the time of all the pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from cvserve.predictor.backends.builtin.resampling import averages, between

CELL_PX = 4
# A border whose tones spread less than this share of the picture's contrast is one flat ground.
FLAT_SHARE = 0.15
# So is a ground to whose tone this share of all cells comes this close, whatever the border looks like.
EVEN_SHARE = 0.2
EVEN_TONES = 3
# Cells that the closing bridges: strokes narrower than this count as ink, wider ones as ground.
CLOSING_CELLS = 7
# Into how many parts a side is cut for the mean tone of the surroundings.
SURROUNDINGS = 6


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
    darkest, lightest = (_cells(tones, pick).astype(np.float32) for pick in (np.minimum, np.maximum))
    ring = np.concatenate([cells[edge] for cells in (darkest, lightest) for edge in _EDGES])
    ring.sort()
    count = len(ring)
    ground = int(ring[count // 2])
    # Quartiles, as a digit may cover a part of the border.
    spread = int(ring[count * 3 // 4]) - int(ring[count // 4])
    few = max(darkest.size // 100, 1)
    dark_reach = ground - int(np.partition(darkest, few, axis=None)[few])
    light_reach = int(np.partition(lightest, -few - 1, axis=None)[-few - 1]) - ground
    # A digit that fills its picture covers much of the border, and the spread there says nothing.
    even = (np.abs(darkest - ground) <= EVEN_TONES) & (np.abs(lightest - ground) <= EVEN_TONES)
    is_even = np.count_nonzero(even) > EVEN_SHARE * even.size
    if tiny or is_even or spread <= FLAT_SHARE * max(dark_reach, light_reach) + 3:
        light = light_reach > dark_reach
        bare = np.full(darkest.shape, 255 - ground if light else ground, dtype=np.float32)
        return Ink(light, True, bare, np.maximum(bare - (255 - lightest if light else darkest), 0))
    return _uneven(darkest, lightest)


def _cells(tones: NDArray[np.uint8], pick: np.ufunc) -> NDArray[np.uint8]:
    """The darkest or lightest pixel of each cell; halving four times takes a third of the time of ``reduce``."""
    for _ in range(CELL_PX.bit_length() - 1):
        tones = pick(tones[::2], tones[1::2])
    for _ in range(CELL_PX.bit_length() - 1):
        tones = pick(tones[:, ::2], tones[:, 1::2])
    return tones


_EDGES = (0, -1, (slice(1, -1), 0), (slice(1, -1), -1))


def _uneven(darkest: NDArray[np.float32], lightest: NDArray[np.float32]) -> Ink:
    """Uneven ground: the pen is what differs more from the mean tone of its surroundings."""
    rows, columns = (_blur_matrix(count) for count in darkest.shape)
    mean = rows @ ((darkest + lightest) * np.float32(0.5)) @ columns.T
    below, above = np.maximum(mean - darkest, 0), np.maximum(lightest - mean, 0)
    # Third powers weigh the few strong cells of a stroke over the many weak ones beside it: the paper inside a
    # loop is hardly lighter than the mean, and the edge of a shadow differs as much upwards as downwards.
    light = float(np.vdot(above * above, above)) > float(np.vdot(below * below, below))
    if light:
        darkest, lightest = 255 - lightest, 255 - darkest
    ground = _close_gaps(_close_gaps(lightest).T).T
    return Ink(light, False, ground, np.maximum(ground - darkest, 0))


@cache
def _blur_matrix(count: int) -> NDArray[np.float32]:
    """The matrix that blurs ``count`` cells over about a quarter of the picture, float32 [count, count]."""
    return between(SURROUNDINGS, count) @ averages(count, SURROUNDINGS)


def _close_gaps(cells: NDArray[np.float32]) -> NDArray[np.float32]:
    """Morphological closing (Serra 1982) down the columns: running maximum, then running minimum.

    The minimum reaches one cell further, so that a cell across the edge of a shadow does not count as bright.
    Beyond its ends a slope that falls goes on falling, else a dark rim would look like ink.

    Args:
        cells: tones, float32 [rows, columns].
    """
    inner, ends = _beyond_ends(len(cells))
    edge = cells[ends]
    slope = np.minimum(2 * edge - cells[inner], edge)
    padded = np.concatenate((slope[:CLOSING_CELLS], cells, slope[CLOSING_CELLS:]))
    return _run_over(_run_over(padded, CLOSING_CELLS, np.maximum), CLOSING_CELLS + 2, np.minimum)


@cache
def _beyond_ends(count: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """For the places before and after ``count`` cells: their mirror image in the last cell, and that cell."""
    mirror = np.minimum(np.arange(CLOSING_CELLS, 0, -1), count - 1)
    ends = np.repeat((0, count - 1), CLOSING_CELLS)
    return np.concatenate((mirror, count - 1 - mirror[::-1])), ends


def _run_over(cells: NDArray[np.float32], length: int, pick: np.ufunc) -> NDArray[np.float32]:
    """Maximum or minimum of each ``length`` neighbours down the columns, by doubling; only whole windows."""
    reach = 1
    while reach < length:
        step = min(reach, length - reach)
        cells = pick(cells[step:], cells[:-step])
        reach += step
    return cells
