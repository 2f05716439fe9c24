"""A decoder's patience."""

import pytest

from cvserve.errors import InvalidImage
from cvserve.predictor.images.decode import decode
from cvserve.predictor.images.decoder_input import DecoderInput
from cvserve.predictor.images.limits import Limits, Want
from cvserve.values import IMAGE_FORMATS
from support.bad_pictures import good_pictures
from support.pictures import encoded, grey


def test_it_reads_like_a_file() -> None:
    file = DecoderInput(b"abcdef", 1.0)
    assert (file.read(2), file.read(), file.read()) == (b"ab", b"cdef", b"")


def test_a_picture_that_takes_too_long_is_invalid_and_says_so() -> None:
    with pytest.raises(InvalidImage, match=r"more than 0 s to decode"):
        decode(good_pictures()["png"], Want("L"), Limits(max_decode_s=0.0))


@pytest.mark.parametrize("image_format", IMAGE_FORMATS)
def test_no_format_is_read_so_often_that_it_is_taken_for_a_trick(image_format: str) -> None:
    from PIL import Image

    image = Image.effect_noise((1500, 1500), 90).convert("RGB")  # megabytes, so that what is always read is not enough
    decode(encoded(image, image_format), Want("RGB"), Limits(formats=IMAGE_FORMATS, max_decode_s=600.0))


def test_the_same_bytes_are_not_read_for_ever() -> None:
    file = DecoderInput(bytes(2**20), 600.0)
    for _ in range(9):
        file.seek(0)
        file.read()
    file.seek(0)
    with pytest.raises(InvalidImage):
        file.read()


def test_the_default_is_enough_for_a_usual_picture() -> None:
    assert decode(grey(0), Want("L"), Limits())[0].mode == "L"
