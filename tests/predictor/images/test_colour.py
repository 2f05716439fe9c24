"""Every Pillow mode to grey and RGB."""

import io

import numpy as np
import pytest
from PIL import Image

from cvserve.predictor.images.colour import flatten

MODES = (
    "1",
    "L",
    "LA",
    "La",
    "P",
    "PA",
    "RGB",
    "RGBA",
    "RGBa",
    "RGBX",
    "CMYK",
    "YCbCr",
    "LAB",
    "HSV",
    "I",
    "I;16",
    "I;16L",
    "I;16B",
    "I;16N",
    "F",
)


@pytest.mark.parametrize("want", ["L", "RGB"])
@pytest.mark.parametrize("mode", MODES)
def test_every_mode_becomes_what_the_model_sees(mode: str, want: str) -> None:
    flat = flatten(Image.new(mode, (3, 2)), want)
    assert (flat.mode, flat.size) == (want, (3, 2))


@pytest.mark.parametrize("mode", MODES)
def test_transparency_can_be_asked_for(mode: str) -> None:
    flat = flatten(Image.new(mode, (3, 2)), "ALPHA")
    assert flat.mode in ("L", "RGB", "LA", "RGBA")
    assert ("A" in flat.mode) == (mode in ("LA", "La", "PA", "RGBA", "RGBa"))


@pytest.mark.parametrize(
    ("mode", "value", "grey"),
    [
        ("1", 255, 255),
        ("L", 77, 77),
        ("RGB", (77, 77, 77), 77),
        ("LA", (0, 0), 255),
        ("LA", (0, 255), 0),
        ("La", (0, 0), 255),
        ("RGBA", (0, 0, 0, 0), 255),
        ("RGBA", (0, 0, 0, 128), 127),
        ("RGBa", (0, 0, 0, 0), 255),
        ("CMYK", (0, 0, 0, 0), 255),
        ("CMYK", (0, 0, 0, 255), 0),
        ("YCbCr", (77, 128, 128), 77),
        ("HSV", (0, 0, 77), 77),
        ("I", 77, 77),
        ("I", 65535, 255),
        ("I", -5, 0),
        ("I", 10**9, 255),
        ("F", 77.0, 77),
        ("F", 65535.0, 255),
        ("F", float("nan"), 0),
        ("F", float("inf"), 255),
        ("I;16", 65535, 255),
        ("I;16", 257 * 77, 77),
        ("I;16", 200, 0),
        ("I;16B", 257 * 77, 77),
    ],
)
def test_the_rules(mode: str, value: tuple[int, ...] | float, grey: int) -> None:
    image = Image.new(mode, (2, 2), value)
    for want in ("L", "RGB"):
        assert abs(np.asarray(flatten(image, want), int) - grey).max() <= 1


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "1"])
def test_a_transparent_colour_of_a_png_is_laid_on_white(mode: str) -> None:
    buffer = io.BytesIO()
    Image.new(mode, (4, 4), 0).save(buffer, "PNG", transparency=(0, 0, 0) if mode == "RGB" else 0)
    for want in ("L", "RGB"):
        with Image.open(io.BytesIO(buffer.getvalue())) as image:
            assert np.asarray(flatten(image, want)).min() == 255


@pytest.mark.parametrize(("lightness", "grey"), [(255, 255), (0, 0), (137, 128)])
def test_lab_becomes_srgb(lightness: int, grey: int) -> None:
    image = Image.merge("LAB", [Image.new("L", (2, 2), level) for level in (lightness, 128, 128)])
    assert abs(np.asarray(flatten(image, "RGB"), int) - grey).max() <= 2
