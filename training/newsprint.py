"""Real printed digits in a real photo: the cells of the newspaper puzzle in OpenCV's sample ``sudoku.png``."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from photos import OPENCV_DATA

# The puzzle as printed; "." is an empty cell.
ROWS = (
    "...6.47..",
    "7.6.....9",
    ".....5.8.",
    ".7..2..93",
    "8.......5",
    "43..1..7.",
    ".5.2.....",
    "3.....2.8",
    "..23.1...",
)
# Corners of the puzzle in the photo, in pixels: top left, top right, bottom right, bottom left.
CORNERS = ((73, 86), (494, 67), (519, 521), (37, 515))
# How far the bent sheet moves the cells from where its corners put them, and the side of a cut-out, in pixels.
BENT_PX = (2, 3)
SIDE_PX = 36


def _view() -> NDArray[np.float64]:
    """The homography from the unit square to the photo, as a 3x3 matrix."""
    equations, places = [], []
    for (u, v), (x, y) in zip(((0, 0), (1, 0), (1, 1), (0, 1)), CORNERS, strict=True):
        equations += [(u, v, 1, 0, 0, 0, -u * x, -v * x), (0, 0, 0, u, v, 1, -u * y, -v * y)]
        places += [x, y]
    solution = np.linalg.solve(np.array(equations, dtype=np.float64), np.array(places, dtype=np.float64))
    return np.append(solution, 1.0).reshape(3, 3)


def cells() -> Iterator[tuple[Image.Image, str]]:
    """Every cell, cut out of the photo as it is, with its digit or "."."""
    with Image.open(OPENCV_DATA / "sudoku.png") as photo:
        page = photo.convert("L")
    view = _view()
    for row, line in enumerate(ROWS):
        for column, sign in enumerate(line):
            x, y, depth = view @ ((column + 0.5) / 9, (row + 0.5) / 9, 1)
            left, top = (round(place / depth + bent - SIDE_PX / 2) for place, bent in zip((x, y), BENT_PX, strict=True))
            yield page.crop((left, top, left + SIDE_PX, top + SIDE_PX)), sign
