"""A picture piece by piece is the same picture."""

import numpy as np
import pytest
from PIL import Image

from cvserve.predictor.images.colour import flatten
from cvserve.predictor.images.tiles import TILE_PIXELS, cut_boxes, cut_tiles, map_tiles

SIZES = [(1, 1), (1500, 1100), (TILE_PIXELS, 1), (TILE_PIXELS + 3, 2), (2, TILE_PIXELS + 3)]


@pytest.mark.parametrize("size", SIZES)
def test_boxes_cover_each_pixel_once_and_none_is_large(size: tuple[int, int]) -> None:
    seen = np.zeros(size[::-1], np.uint8)
    for left, top, right, bottom in cut_boxes(size):
        assert 0 < (right - left) * (bottom - top) <= TILE_PIXELS
        seen[top:bottom, left:right] += 1
    assert (seen == 1).all()


@pytest.mark.parametrize("size", SIZES)
def test_a_change_of_each_pixel_gives_what_it_gives_at_once(size: tuple[int, int]) -> None:
    image = Image.linear_gradient("L").resize(size)
    changed = map_tiles(image, lambda tile: tile.point(lambda value: 255 - value))
    assert np.array_equal(np.asarray(changed), 255 - np.asarray(image))
    assert sum(tile.width * tile.height for tile in cut_tiles(image)) == size[0] * size[1]


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "P", "I;16", "I", "F", "1", "CMYK", "LAB"])
def test_a_large_picture_is_flattened_to_what_its_parts_are(mode: str) -> None:
    rows = np.random.default_rng(1).integers(0, 256, (1100, 1500), np.uint8)
    grey = Image.fromarray(rows)
    whole = {
        "I": lambda: Image.fromarray(rows.astype(np.int32)),
        "F": lambda: Image.fromarray(rows.astype(np.float32)),
        "I;16": lambda: Image.fromarray(rows.astype(np.uint16) * 199),
        "LAB": lambda: Image.merge("LAB", (grey, grey, grey)),
        "PA": lambda: grey.convert("P").convert("PA"),
    }.get(mode, lambda: grey.convert("RGB").convert(mode))()
    for want in ("L", "RGB", "ALPHA"):
        flat = flatten(whole, want)
        part = flatten(whole.crop((900, 700, 1500, 1100)), want)
        assert flat.mode == part.mode
        assert np.array_equal(np.asarray(flat)[700:, 900:], np.asarray(part))


def test_whether_values_are_16_bits_is_asked_of_the_whole_picture() -> None:
    values = np.full((1100, 1500), 200, np.int32)
    values[0, 0] = 65_535
    flat = np.asarray(flatten(Image.fromarray(values), "L"))
    assert (flat[0, 0], flat[-1, -1]) == (255, 0)
