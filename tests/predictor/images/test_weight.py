"""What is much work is told from the first bytes."""

from typing import Any

import pytest
from PIL import Image

from cvserve.predictor.images.weight import is_heavy
from support.bad_pictures import good_pictures, png, truncations
from support.bombs import WEBP_46_BYTES
from support.pictures import encoded

BIG, LITTLE = (4_000, 2_001), (3_000, 2_500)
WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "png": ("PNG", {"compress_level": 1}),
    "webp": ("WEBP", {"method": 0}),
    "lossless": ("WEBP", {"method": 0, "lossless": True}),
    "extended": ("WEBP", {"method": 0, "exif": b"Exif\0\0"}),
    "progressive": ("JPEG", {"progressive": True}),
}


@pytest.mark.parametrize("way", WAYS)
def test_more_than_eight_million_pixels_are_heavy(way: str) -> None:
    image_format, options = WAYS[way]
    assert is_heavy(encoded(Image.new("RGB", BIG, (9, 99, 9)), image_format, **options))
    assert not is_heavy(encoded(Image.new("RGB", LITTLE, (9, 99, 9)), image_format, **options))


def test_a_jpeg_that_is_decoded_at_a_reduced_size_is_not() -> None:
    assert not is_heavy(encoded(Image.new("RGB", BIG), "JPEG"))


def test_a_jpeg_does_not_hide_its_frame() -> None:
    progressive = encoded(Image.new("RGB", BIG), "JPEG", progressive=True)
    assert is_heavy(progressive)
    for hiding in (b"\xff\xe0\xff\xff" + bytes(65_533), b"\xff\xe0\0\2" * 200, b"\xff\xe0\0\2" + b"a" * 100):
        assert is_heavy(progressive[:2] + hiding + progressive[2:])


def test_46_bytes_can_be_heavy_and_a_header_is_enough() -> None:
    assert is_heavy(WEBP_46_BYTES)
    assert is_heavy(png(60_000, 60_000)[:40])


def test_no_bytes_upset_it() -> None:
    for data in good_pictures().values():
        assert not any(is_heavy(cut) for cut in truncations(data))
    assert not any(is_heavy(data[:length]) for data in (b"", b"RIFF", b"\x89PNG", b"\xff\xd8") for length in range(5))
