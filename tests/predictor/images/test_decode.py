"""Any picture in, one upright image out."""

import io
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cvserve.errors import ImageTooLarge, InvalidImage, InvalidParameter, UnsupportedImage
from cvserve.predictor.images.decode import decode, read_picture
from cvserve.predictor.images.limits import Limits, Want
from cvserve.predictor.models.input_spec import InputSpec
from cvserve.values import IMAGE_FORMATS
from support.pictures import encoded

ALL = Limits(formats=IMAGE_FORMATS)
ORIENTATION = 0x0112
# How a camera stored an upright picture so that tag n brings it upright again (EXIF 2.3).
STORED = {
    1: lambda image: image,
    2: lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    3: lambda image: image.transpose(Image.Transpose.ROTATE_180),
    4: lambda image: image.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
    5: lambda image: image.transpose(Image.Transpose.TRANSPOSE),
    6: lambda image: image.transpose(Image.Transpose.ROTATE_90),
    7: lambda image: image.transpose(Image.Transpose.TRANSVERSE),
    8: lambda image: image.transpose(Image.Transpose.ROTATE_270),
}


def upright(width: int = 96, height: int = 64) -> Image.Image:
    """A smooth picture in which no two corners are alike."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    return Image.fromarray(np.dstack([x * 255, y * 255, (1 - x) * y * 255]).astype(np.uint8))


def turned(orientation: int, image_format: str, image: Image.Image) -> bytes:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    options: dict[str, dict[str, Any]] = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"lossless": True}}
    return encoded(STORED[orientation](image), image_format, exif=exif, **options.get(image_format, {}))


@pytest.mark.parametrize("image_format", ["PNG", "WEBP", "JPEG", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_orientations_give_the_same_upright_pixels(orientation: int, image_format: str) -> None:
    image, info = decode(turned(orientation, image_format, upright()), Want("RGB"), ALL)
    assert (info.width, info.height, image.size) == (96, 64, (96, 64))
    difference = np.abs(np.asarray(image, int) - np.asarray(upright(), int)).max()
    assert difference <= (6 if image_format == "JPEG" else 0)


@pytest.mark.parametrize("orientation", [0, 9, 255])
def test_an_orientation_that_does_not_exist_counts_as_upright(orientation: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    image, _ = decode(encoded(upright(), "PNG", exif=exif), Want("RGB"), ALL)
    assert np.array_equal(np.asarray(image), np.asarray(upright()))


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize(
    "exif", [b"", b"Exif\0\0", b"Exif\0\0II*\0", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\x01\x12" * 40, b"x" * 60_000]
)
def test_broken_exif_is_no_reason_to_refuse_a_good_picture(exif: bytes) -> None:
    image, _ = decode(encoded(upright(), "JPEG", exif=exif), Want("RGB"), ALL)
    assert image.size == (96, 64)


@pytest.mark.parametrize("kind", ["path", "text", "bytes", "bytearray", "memoryview", "pil", "array"])
def test_every_kind_of_source_gives_the_same_pixels(tmp_path: Path, kind: str) -> None:
    data = encoded(upright())
    path = tmp_path / "a.png"
    path.write_bytes(data)
    source = {
        "path": path,
        "text": str(path),
        "bytes": data,
        "bytearray": bytearray(data),
        "memoryview": memoryview(data),
        "pil": Image.open(io.BytesIO(data)),
        "array": np.asarray(upright()),
    }[kind]
    image, info = decode(source, Want("RGB"), ALL)
    assert np.array_equal(np.asarray(image), np.asarray(upright()))
    assert info.format == {"pil": "PIL", "array": "ARRAY"}.get(kind, "PNG")
    assert bool(info.sha256) == (kind not in ("pil", "array"))


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3), (5, 7, 4)])
def test_arrays_of_grey_colour_and_transparency(shape: tuple[int, ...]) -> None:
    image, info = decode(np.full(shape, 255, np.uint8), Want("L"), ALL)
    assert (image.mode, image.size, info.width, info.height) == ("L", (7, 5), 7, 5)
    assert np.asarray(image).min() == 255


@pytest.mark.parametrize(
    "source",
    [
        np.zeros((5, 7), np.float32),
        np.zeros((5, 7, 1), np.uint8),
        np.zeros((5,), np.uint8),
        np.zeros((0, 5), np.uint8),
        np.zeros((5, 7), bool),
        np.zeros((2, 5, 7, 3), np.uint8),
        None,
        5,
        1.5,
        [1, 2],
        object(),
        io.BytesIO(b"x"),
    ],
    ids=lambda source: f"{type(source).__name__}{list(getattr(source, 'shape', []))}",
)
def test_what_is_no_picture_is_a_wrong_parameter(source: object) -> None:
    with pytest.raises(InvalidParameter, match="give"):
        decode(source, Want("RGB"), ALL)


@pytest.mark.parametrize("name", ["missing.jpg", "folder", "pipe", "nul\0l", "x" * 300])
def test_a_path_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkdir("folder")
    os.mkfifo("pipe")
    with pytest.raises(InvalidImage):
        decode(name, Want("RGB"), ALL)


@pytest.mark.parametrize("image_format", IMAGE_FORMATS)
def test_formats_are_told_by_content_and_only_the_allowed_are_read(tmp_path: Path, image_format: str) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(encoded(upright(), image_format))
    assert decode(path, Want("RGB"), ALL)[1].format == image_format
    others = Limits(formats=tuple(name for name in IMAGE_FORMATS if name != image_format))
    with pytest.raises(UnsupportedImage, match=image_format):
        decode(path, Want("RGB"), others)


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP"])
def test_a_picture_that_was_cut_off_is_invalid_everywhere(image_format: str) -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 255, (64, 96, 3), np.uint8))
    data = encoded(noise, image_format)
    for part in range(1, 32):
        with pytest.raises(InvalidImage):
            decode(data[: len(data) * part // 32], Want("RGB"), ALL)
    with pytest.raises(InvalidImage, match="0 bytes"):
        decode(b"", Want("RGB"), ALL)


def test_a_pil_image_that_cannot_be_read_is_invalid() -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 255, (64, 96, 3), np.uint8))
    with Image.open(io.BytesIO(encoded(noise)[:5000])) as image, pytest.raises(InvalidImage):
        decode(image, Want("RGB"), ALL)


def test_limits_are_read_from_the_header() -> None:
    header = encoded(Image.new("1", (9_000, 9_000)))[:60]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ImageTooLarge, match="9000×9000"):
            decode(header, Want("RGB"), Limits())
    for source in (upright(), np.asarray(upright()), encoded(upright(), "JPEG")):
        with pytest.raises(ImageTooLarge, match="96×64"):
            decode(source, Want("RGB"), Limits(max_pixels=96 * 64 - 1))
        decode(source, Want("RGB"), Limits(max_pixels=96 * 64))


def test_only_the_first_frame_is_read_and_not_of_too_many() -> None:
    frames = [Image.new("L", (8, 8), level) for level in (10, 200, 100)]
    data = encoded(frames[0], "PNG", save_all=True, append_images=frames[1:])
    assert np.asarray(decode(data, Want("L"), ALL)[0]).max() == 10
    with pytest.raises(ImageTooLarge, match="3 frames"):
        decode(data, Want("L"), Limits(max_frames=2))


def scale_of(width: int, height: int, want: Want, orientation: int = 1) -> float:
    """By how much a JPEG of that upright size was reduced."""
    data = turned(orientation, "JPEG", Image.new("RGB", (width, height)))
    image, info = decode(data, want, ALL)
    assert (info.width, info.height) == (width, height)
    return round(width / image.width)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize(
    ("size", "need", "divisor"),
    [
        ((800, 800), (100, 100), 8),
        ((799, 800), (100, 100), 4),
        ((800, 400), (100, 100), 4),
        ((400, 400), (100, 100), 4),
        ((399, 400), (100, 100), 2),
        ((200, 200), (100, 100), 2),
        ((199, 800), (100, 100), 1),
        ((50, 50), (100, 100), 1),
        ((800, 200), (200, 50), 4),
        ((200, 800), (50, 200), 4),
        ((3200, 3200), (100, 100), 8),
        ((800, 400), (400, 50), 2),
    ],
)
def test_a_jpeg_is_reduced_as_far_as_both_sides_allow(
    size: tuple[int, int], need: tuple[int, int], divisor: int, orientation: int
) -> None:
    assert scale_of(*size, Want("RGB", *need), orientation) == divisor


@pytest.mark.parametrize(
    ("size", "divisor"),
    [((800, 100), 8), ((100, 800), 8), ((800, 800), 8), ((400, 10), 4), ((399, 10), 2), ((99, 99), 1)],
)
def test_a_picture_that_goes_inside_as_a_whole_needs_one_side_only(size: tuple[int, int], divisor: int) -> None:
    data = encoded(Image.new("RGB", size), "JPEG")
    image, _ = decode(data, Want("RGB", 100, 100, inside=True), ALL)
    assert round(max(size) / max(image.size)) == divisor


def test_a_full_decode_is_a_full_decode() -> None:
    data = encoded(upright(800, 640), "JPEG")
    assert decode(data, Want("RGB"), ALL)[0].size == (800, 640)
    assert decode(encoded(upright(800, 640)), Want("RGB", 8, 8), ALL)[0].size == (800, 640)


@pytest.mark.parametrize("resize", ["crop", "pad"])
@pytest.mark.parametrize("size", [(4000, 2669), (2669, 4000), (3999, 2777)])
def test_a_reduced_decode_is_cut_and_padded_where_a_full_one_is(resize: str, size: tuple[int, int]) -> None:
    data = encoded(upright(*size), "JPEG", quality=95)
    exact, auto = (InputSpec((224, 224), "RGB", resize, decode=how, scale=1.0) for how in ("exact", "auto"))
    arrays = [spec.prepare(decode(data, spec.want(), ALL)[0]) for spec in (exact, auto)]
    assert decode(data, auto.want(), ALL)[0].width < size[0]
    assert np.abs(arrays[0] - arrays[1]).mean() < 1


def test_file_that_no_picture_can_be_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "huge.jpg").open("wb") as file:
        file.truncate(2**30 + 1)  # a hole: it takes no space
    with pytest.raises(ImageTooLarge, match="1,073,741,825 bytes"):
        read_picture(tmp_path / "huge.jpg")
