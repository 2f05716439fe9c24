"""What a picture may be, by its header alone."""

import pytest

from cvserve.errors import ImageTooLarge
from cvserve.predictor.images.limits import Limits, check_pixels


@pytest.mark.parametrize(
    ("width", "height", "name"),
    [
        (8_000, 8_000, "JPEG"),
        (8_000, 8_000, "PNG"),
        (8_000, 4_000, "WEBP"),
        (100_000, 1, "PNG"),
        (4_000_000, 16, "PNG"),
    ],
)
def test_as_much_as_is_allowed_is_allowed(width: int, height: int, name: str) -> None:
    check_pixels(width, height, Limits(), name)
    check_pixels(height, width, Limits(), name)
    check_pixels(4_000_000, 16, Limits(), "PNG")


@pytest.mark.parametrize(
    ("width", "height", "name", "words"),
    [
        (8_000, 8_001, "JPEG", r"8000×8001; at most 64,000,000 pixels are read"),
        (8_000, 4_001, "WEBP", r"8000×4001; at most 32,000,000 pixels of a WEBP are read"),
        (4_000_001, 1, "PNG", r"4000001×1; a side may have at most 4,000,000 pixels"),
        (0, 5, "PNG", "no pixels"),
    ],
)
def test_what_is_more_is_refused_with_its_numbers(width: int, height: int, name: str, words: str) -> None:
    with pytest.raises(ImageTooLarge, match=words):
        check_pixels(width, height, Limits(), name)


def test_a_small_limit_of_pixels_is_no_limit_of_a_side() -> None:
    check_pixels(100, 1, Limits(max_pixels=100))
