"""JPEGs decoded by libjpeg-turbo itself: the pixels that Pillow gives, and no way past the checks of the header."""

import io
import struct
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cvserve.errors import ImageError, ImageTooLarge, InvalidImage
from cvserve.predictor.images.decode import decode
from cvserve.predictor.images.jpeg import choose_divisor, decode_plain, read_header
from cvserve.predictor.images.limits import Limits, Want
from support.pictures import encoded

SIZE = (517, 389)  # a multiple of nothing


def photo(mode: str = "RGB", size: tuple[int, int] = SIZE) -> Image.Image:
    """Waves, edges and noise, so that every kind of error would show."""
    across, down = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    noise = np.random.default_rng(7).integers(0, 40, (size[1], size[0], 3))
    waves = np.stack([np.sin(across / 9) * 80 + 100, np.cos(down / 7) * 80 + 100, (across + down) % 160], axis=2)
    return Image.fromarray((waves + noise).clip(0, 255).astype(np.uint8)).convert(mode)


def jpeg(mode: str = "RGB", **options: Any) -> bytes:
    return encoded(photo(mode), "JPEG", quality=85, **options)


def by_pillow(data: bytes, mode: str, divisor: int) -> np.ndarray[Any, Any]:
    image = Image.open(io.BytesIO(data))
    image.draft("RGB" if mode == "RGB" else "L", (SIZE[0] // divisor, SIZE[1] // divisor) if divisor > 1 else None)
    return np.asarray(image.convert(mode)).astype(int)


KINDS = {
    "4:4:4": jpeg(subsampling=0),
    "4:2:2": jpeg(subsampling=1),
    "4:2:0": jpeg(subsampling=2),
    "grey": jpeg("L"),
    "progressive": jpeg(progressive=True),
    "optimized": jpeg(optimize=True),
    "restart markers": jpeg(restart_marker_blocks=16),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("divisor", [1, 2, 4, 8])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_pixels_are_those_of_pillow_at_every_scale(kind: str, divisor: int, mode: str) -> None:
    data = KINDS[kind]
    header = read_header(data)
    assert header is not None
    assert (header.width, header.height, header.is_plain) == (*SIZE, True)
    image = decode_plain(data, header, mode, divisor)
    assert image is not None
    assert image.size == (-(-SIZE[0] // divisor), -(-SIZE[1] // divisor))
    assert np.abs(np.asarray(image).astype(int) - by_pillow(data, mode, divisor)).max() <= 1


@pytest.mark.parametrize(
    ("size", "wanted", "divisor"),
    [
        ((512, 384), None, 1),
        ((512, 384), (32, 32), 8),
        ((512, 384), (64, 48), 8),
        ((512, 384), (65, 48), 4),
        ((512, 384), (200, 100), 2),
        ((512, 384), (400, 10), 1),
        ((20, 4_000), (16, 16), 1),
        ((4_000, 3_000), (1, 1), 8),
    ],
)
def test_scale_is_the_smallest_that_leaves_what_is_wanted(
    size: tuple[int, int], wanted: tuple[int, int] | None, divisor: int
) -> None:
    assert choose_divisor(size, wanted) == divisor


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr"])
def test_other_colours_come_out_as_pillow_reads_them(mode: str) -> None:
    data = jpeg(mode) if mode == "CMYK" else jpeg(keep_rgb=True)
    header = read_header(data)
    assert header is not None
    assert not header.is_plain
    image, info = decode(data, Want("RGB"), Limits())
    assert (image.mode, image.size, (info.width, info.height)) == ("RGB", SIZE, SIZE)
    assert np.abs(np.asarray(image).astype(int) - by_pillow(data, "RGB", 1)).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_undone_at_a_reduced_scale(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = jpeg(exif=exif)
    image, info = decode(data, Want("L", 120, 90), Limits())
    turned = orientation >= 5
    assert (info.width, info.height) == (SIZE[::-1] if turned else SIZE)
    upright = Image.open(io.BytesIO(data))
    upright.draft("L", (90, 120) if turned else (120, 90))
    from PIL import ImageOps

    whole = ImageOps.exif_transpose(upright)
    assert image.size == whole.size
    assert np.abs(np.asarray(image).astype(int) - np.asarray(whole.convert("L")).astype(int)).max() <= 1


def segment(marker: int, data: bytes) -> bytes:
    return struct.pack("!BBH", 0xFF, marker, len(data) + 2) + data


def frame(width: int, height: int) -> bytes:
    return segment(0xC0, struct.pack("!BHHB", 8, height, width, 1) + b"\x01\x11\x00")


def first_frame(data: bytes) -> int:
    return next(place for place in range(2, len(data)) if data[place : place + 2] == b"\xff\xc0")


def test_second_frame_with_another_size_does_not_pass_the_check_of_pixels() -> None:
    data = jpeg("L")
    place = first_frame(data)
    for forged in (frame(8, 8), frame(60_000, 60_000)):
        both = data[:place] + forged + data[place:]
        assert read_header(both) is None
        with pytest.raises(ImageError):
            decode(both, Want("L"), Limits())


def test_pixels_are_counted_before_any_is_decoded() -> None:
    data = jpeg("L")
    place = first_frame(data)
    huge = data[:place] + frame(60_000, 60_000) + data[place + len(frame(1, 1)) :]
    with pytest.raises(ImageTooLarge, match="60000×60000"):
        decode(huge, Want("L"), Limits())


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\xff",
        b"\xff\xe0",
        b"\xff\xe0\x00\x00",
        b"\xff\xe0\x00\x01",
        b"\xff\xe0\xff\xff",
        b"\xff\xff\xff\xff" * 100,
        b"\xff\xd8" * 1_000,
        b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00",
        segment(0xC0, b""),
        segment(0xC0, struct.pack("!BHHB", 8, 10, 10, 255)),
        frame(0, 10) + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00",
        frame(10, 0) + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00",
        b"no marker",
    ],
)
def test_header_that_is_not_as_it_should_be_is_an_error_with_our_words(head: bytes) -> None:
    data = b"\xff\xd8\xff"[:2] + head
    assert read_header(data) is None
    with pytest.raises(ImageError):
        decode(b"\xff\xd8\xff\xe0" + head, Want("RGB"), Limits())


def test_picture_that_is_cut_off_anywhere_is_damaged() -> None:
    for kind in ("4:2:0", "grey", "progressive"):
        data = KINDS[kind]
        for part in range(1, 40):
            with pytest.raises(InvalidImage):
                decode(data[: len(data) * part // 40], Want("RGB", 32, 32), Limits())


def test_stray_bytes_that_cameras_write_are_no_damage() -> None:
    data = KINDS["4:2:0"]
    for stray in (data + b"\0" * 100, data[:-2] + b"\0\0\0" + data[-2:]):
        image, _ = decode(stray, Want("RGB"), Limits())
        assert np.abs(np.asarray(image).astype(int) - by_pillow(data, "RGB", 1)).mean() < 1


def test_many_scans_are_refused_and_bytes_that_only_look_like_them_are_not() -> None:
    progressive = KINDS["progressive"]
    scan = progressive.index(b"\xff\xda")
    with pytest.raises(InvalidImage, match="scans"):
        decode(progressive[:scan] + progressive[scan : scan + 200] * 200, Want("L"), Limits())
    comment = segment(0xFE, b"\xff\xda" * 500)
    plain = KINDS["grey"]
    decode(plain[:2] + comment + plain[2:], Want("L"), Limits())


@pytest.mark.parametrize("filler", [b"\xff", b"a", b"\xff\x00", b"\xff\xd0", b"\xff\xe0\x00\x02"])
def test_what_pillow_would_go_through_byte_by_byte_is_refused_when_it_is_much(filler: bytes) -> None:
    plain = KINDS["grey"]
    app = segment(0xE0, b"")
    little = plain[:2] + app + filler * 100 + plain[2:]
    assert decode(little, Want("L"), Limits())[0].size == decode(plain, Want("L"), Limits())[0].size
    with pytest.raises(InvalidImage, match="too slow to decode"):
        decode(plain[:2] + app + filler * 100_000 + plain[2:], Want("L"), Limits())


def test_the_larger_the_picture_the_fewer_scans() -> None:
    progressive = KINDS["progressive"]
    scan = progressive.rindex(b"\xff\xda")
    many = progressive[:-2] + progressive[scan:-2] * 30 + progressive[-2:]
    image, _ = decode(many, Want("L"), Limits())
    with pytest.raises(InvalidImage, match="scans, at most 20 for its size"):
        decode(many, Want("L"), Limits(max_pixels=image.width * image.height))


def test_array_stays_alive_as_long_as_the_picture() -> None:
    header = read_header(KINDS["grey"])
    assert header is not None
    images = [decode_plain(KINDS["grey"], header, "L", 1) for _ in range(20)]
    assert len({image.tobytes() for image in images if image is not None}) == 1
