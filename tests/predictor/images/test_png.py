"""A PNG that is all chunks is refused before they are read."""

import zlib

import pytest

from cvserve.errors import InvalidImage
from cvserve.predictor.images.decode import decode
from cvserve.predictor.images.limits import Limits, Want
from cvserve.predictor.images.png import check_chunks
from support.bad_pictures import chunk, png
from support.pictures import encoded, grey

PROFILE = chunk(b"iCCP", b"a\0\0" + zlib.compress(b"a" * 10_000))


@pytest.mark.parametrize(
    "extra",
    [PROFILE * 65, chunk(b"zTXt", b"a\0\0broken") * 65, chunk(b"tEXt", b"a\0b") * 1_001, chunk(b"IDAT", b"") * 100_001],
    ids=["profiles", "compressed texts", "texts", "empty pixels"],
)
def test_too_many_chunks_are_too_slow(extra: bytes) -> None:
    with pytest.raises(InvalidImage, match="too slow to decode"):
        decode(png(9, 9, extra, data=b"\0" * 90), Want("L"), Limits())


def test_what_editors_write_is_read() -> None:
    texts = b"".join(chunk(b"tEXt", b"key%d\0value" % number) for number in range(300))
    image, _ = decode(png(9, 9, PROFILE, texts, chunk(b"zTXt", b"a\0\0broken"), data=b"\0" * 90), Want("L"), Limits())
    assert image.size == (9, 9)


@pytest.mark.parametrize("cut", range(0, 60, 3))
def test_a_cut_file_is_left_to_the_decoder(cut: int) -> None:
    check_chunks(grey(0)[:cut])


def test_an_animation_has_as_many_chunks_as_frames() -> None:
    frames = [chunk(b"fcTL", bytes(26)) + chunk(b"fdAT", bytes(4))] * 900
    check_chunks(encoded_without_end() + b"".join(frames) + chunk(b"IEND", b""))


def encoded_without_end() -> bytes:
    from PIL import Image

    return encoded(Image.new("L", (3, 3)))[:-12]
