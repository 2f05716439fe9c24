"""From any picture to the features of the built-in model: find the pen's ink, crop to it, bring it to a grid."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cvserve.predictor.backends.builtin.components import Board
from cvserve.predictor.backends.builtin.grid import (
    GRID_SIDE,
    PEN_MARGIN_PX,
    PEN_SHARE,
    pen_width_px,
    to_grid,
    with_pen_width,
)
from cvserve.predictor.backends.builtin.ground import CELL_PX, Ink, find_ink
from cvserve.predictor.backends.builtin.resampling import between, nearest
from cvserve.predictor.backends.builtin.selection import choose_parts
from cvserve.predictor.backends.builtin.tone import to_grey
from cvserve.predictor.images.colour import to_pixels

SOURCE_SIDE_PX = 160
"""Pixels that the short side of a decoded picture should keep, where the file has them."""

MEASURES = 13
FEATURES = GRID_SIDE * GRID_SIDE + MEASURES
"""Length of a feature row: the grid, then ``MEASURES`` numbers about how the ink lies in the picture."""

NOTHING_DRAWN = "This does not look like a picture of one digit: nothing is drawn on it."

# Least tones between paper and pen: on one flat ground, and where light and shadow play as well.
MIN_CONTRAST = 0.05 * 255
MIN_UNEVEN_CONTRAST = 0.07 * 255
# A faint pen must stand out from the grain of the bare paper, or there is nothing but grain: the fainter, the more.
GRAIN_CONTRAST = 0.35 * 255
GRAIN_SHARE = 0.2
# Nor does a very faint drawing cover a fifth of the picture.
BUSY_CONTRAST = 0.15 * 255
BUSY_SHARE = 0.27
# A pixel is ink from this share of the way between the paper's tone and the pen's.
INK_SHARE = 0.4
STRONG_SHARE = 0.65
# Long side of the picture in which the ink is looked for, and of a tiny picture once enlarged.
THUMB_SIDE_PX = 128
TINY_SIDE_PX = 64
# Share of the cells that surely belong to the pen, even for a small digit and a thin pen.
PEN_CELLS = 0.004
# Long side of the cut-out that is brought to the grid.
CROP_SIDE_PX = 42


def prepare(image: Image.Image) -> tuple[NDArray[np.float32], str | None]:
    """Turn one picture into the model's features.

    Args:
        image: upright, mode "L", "LA", "RGB" or "RGBA", any size from 1x1.

    Returns:
        Features, float32 [FEATURES], and a warning for the user where the picture holds no drawing, else None.
    """
    source = to_grey(image, SOURCE_SIDE_PX)
    thumb = _thumbnail(source)
    cells = (thumb.width // CELL_PX, thumb.height // CELL_PX)
    ink = find_ink(to_pixels(thumb), max(source.size) <= TINY_SIDE_PX)
    pen, bare, busy = _pen_tones(ink.peaks)
    if pen < (MIN_CONTRAST if ink.flat else MIN_UNEVEN_CONTRAST):
        return np.zeros(FEATURES, dtype=np.float32), NOTHING_DRAWN
    grain = pen < GRAIN_CONTRAST and bare > min(GRAIN_SHARE, 0.9 * pen / 255) * pen
    grain |= pen < BUSY_CONTRAST and busy > BUSY_SHARE * pen
    bare = min(bare, pen / 2)
    board = _board(*cells)
    weak, strong = (ink.peaks > bare + share * (pen - bare) for share in (INK_SHARE, STRONG_SHARE))
    chosen, measures = choose_parts(board, board.pack(weak), board.pack(strong))
    if not chosen:
        return np.zeros(FEATURES, dtype=np.float32), NOTHING_DRAWN
    grid, more = _digit(*_crop(source, ink, board, chosen), pen)
    rest = (pen / 255, bare / pen, busy / pen, float(ink.flat), *measures, *more)
    return np.concatenate((grid, np.asarray(rest, dtype=np.float32))), NOTHING_DRAWN if grain else None


@cache
def _board(columns: int, rows: int) -> Board:
    return Board(columns, rows)


def _pen_tones(peaks: NDArray[np.float32]) -> tuple[float, float, float]:
    """How far the pen, bare paper and the busier part of the picture stand out from the ground.

    Otsu's threshold (1979) splits the noise where a small digit covers one pixel in two hundred; the few
    strongest cells are the pen's, whatever the digit's size.

    Args:
        peaks: from ``find_ink``.

    Returns:
        The tones that ``PEN_CELLS``, two thirds and a fifth of the cells reach.
    """
    ranks = peaks.size - max(round(peaks.size * PEN_CELLS), 2), peaks.size // 3, peaks.size * 4 // 5
    ordered = np.sort(peaks, axis=None)
    pen, bare, busy = (float(ordered[rank]) for rank in ranks)
    return pen, bare, busy


def _thumbnail(source: Image.Image) -> Image.Image:
    """Shrink or enlarge to about ``THUMB_SIDE_PX``, in whole cells, 4 at least."""
    factor = round(max(source.size) / THUMB_SIDE_PX)
    thumb = source.reduce(factor) if factor > 1 else source
    long_side = max(thumb.size)
    stretch = TINY_SIDE_PX / long_side if long_side < TINY_SIDE_PX else 1.0
    wide, tall = (max(round(side * stretch / CELL_PX), 4) * CELL_PX for side in thumb.size)
    if (wide, tall) == thumb.size:
        return thumb
    return thumb.resize((wide, tall), Image.Resampling.BICUBIC if stretch > 1 else Image.Resampling.BILINEAR)


def _crop(source: Image.Image, ink: Ink, board: Board, chosen: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Cut the chosen cells out of the larger picture.

    Returns:
        Ink above the ground, 0..255, float32 [H, W], and which of its pixels lie in chosen cells.
    """
    left, top, right, bottom = board.box(chosen)
    left, top = max(left - 1, 0), max(top - 1, 0)
    right, bottom = min(right + 1, board.width), min(bottom + 1, board.height)
    x_px, y_px = source.width / board.width, source.height / board.height
    box = (left * x_px, top * y_px, right * x_px, bottom * y_px)
    scale = CROP_SIDE_PX / max(box[2] - box[0], box[3] - box[1])
    wide, tall = max(round((box[2] - box[0]) * scale), 3), max(round((box[3] - box[1]) * scale), 3)
    filter_ = Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
    tones = to_pixels(source.resize((wide, tall), filter_, box=box))
    across, down = right - left, bottom - top
    ground = ink.ground[top:bottom, left:right]
    under = ground[:1, :1] if ink.flat else between(down, tall) @ ground @ between(across, wide).T
    above = tones - (np.float32(255) - under) if ink.light else under - tones
    kept = board.unpack(board.grow(chosen))[top:bottom, left:right]
    return np.asarray(above, dtype=np.float32), kept[nearest(down, tall)][:, nearest(across, wide)]


def _digit(
    above: NDArray[np.float32], kept: NDArray[np.bool_], pen: float
) -> tuple[NDArray[np.float32], tuple[float, ...]]:
    """Bring the cut-out ink to the grid.

    Returns:
        The grid, float32 [GRID_SIDE ** 2], and four measures in 0..1.
    """
    few = max(above.size // 25, 1)
    ink = above * kept
    full = max(float(np.partition(ink, -few, axis=None)[-few]), 0.7 * pen, 1.0)
    # From a tenth of the pen's tone, so that grain and rests of shadow vanish, to nine tenths, so that strokes
    # are solid.
    ink -= np.float32(0.1 * full)
    ink *= np.float32(1.25 / full)
    ink.clip(0, 1, out=ink)
    rows, columns = (np.flatnonzero(ink.max(axis=axis) > 0.5) for axis in (1, 0))
    top, bottom = (int(rows[0]), int(rows[-1]) + 1) if len(rows) else (0, ink.shape[0])
    left, right = (int(columns[0]), int(columns[-1]) + 1) if len(columns) else (0, ink.shape[1])
    tall, wide = bottom - top, right - left
    side = max(tall, wide)
    cut = np.zeros((tall + 2 * PEN_MARGIN_PX, wide + 2 * PEN_MARGIN_PX), dtype=np.float32)
    cut[PEN_MARGIN_PX:-PEN_MARGIN_PX, PEN_MARGIN_PX:-PEN_MARGIN_PX] = ink[top:bottom, left:right]
    width = pen_width_px(cut)
    cover, square = float(cut.sum()), float(np.vdot(cut, cut))
    measures = (
        min(width / side, 1.0),
        # How much of the ink is neither there nor not: 0 for sharp strokes, up to 1/4 for smears.
        (cover - square) / max(cover, 1e-6),
        cover / cut.size,
        min(tall, wide) / side,
    )
    return to_grid(with_pen_width(cut, width, PEN_SHARE * side)), measures
