"""`[input]`: from an upright picture to the model's array."""

import numpy as np
import pytest
from PIL import Image

from cvserve.errors import ImageTooLarge
from cvserve.predictor.images.fit import RESAMPLE
from cvserve.predictor.images.limits import Want
from cvserve.predictor.models.input_spec import InputSpec


def picture(width: int, height: int, mode: str = "RGB") -> Image.Image:
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.dstack([x, y, x]).astype(np.uint8)).convert(mode)


@pytest.mark.parametrize(
    ("layout", "mode", "shape"),
    [
        ("NCHW", "L", (1, 4, 6)),
        ("NHWC", "L", (4, 6, 1)),
        ("flat", "L", (24,)),
        ("NCHW", "RGB", (3, 4, 6)),
        ("NHWC", "BGR", (4, 6, 3)),
        ("flat", "RGB", (72,)),
    ],
)
@pytest.mark.parametrize("resize", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("resample", RESAMPLE)
def test_every_layout_has_its_shape(layout: str, mode: str, shape: tuple[int, ...], resize: str, resample: str) -> None:
    spec = InputSpec((6, 4), mode, resize, layout=layout, resample=resample)
    image = picture(50, 31, "L" if mode == "L" else "RGB")
    array = spec.prepare(image)
    assert (array.shape, array.dtype) == (shape, np.dtype(np.float32))
    assert 0 <= array.min() <= array.max() <= 1
    assert spec.features == np.prod(shape)


def test_value_is_pixel_times_scale_minus_mean_by_std() -> None:
    spec = InputSpec((1, 1), "RGB", scale=0.5, mean=(1.0, 2.0, 3.0), std=(2.0, 4.0, 5.0))
    array = spec.prepare(Image.new("RGB", (1, 1), (10, 20, 30)))
    assert array.ravel().tolist() == [2.0, 2.0, pytest.approx(2.4)]
    inverted = InputSpec((1, 1), "L", invert=True, scale=1.0).prepare(Image.new("L", (1, 1), 10))
    assert inverted.item() == 245
    bgr = InputSpec((1, 1), "BGR", scale=1.0, layout="flat").prepare(Image.new("RGB", (1, 1), (10, 20, 30)))
    assert bgr.tolist() == [30, 20, 10]


def test_exact_refuses_another_size_and_names_both() -> None:
    spec = InputSpec((8, 8), "L", "exact")
    assert spec.prepare(Image.new("L", (8, 8))).shape == (1, 8, 8)
    with pytest.raises(ImageTooLarge, match=r"9×8.*8×8"):
        spec.prepare(Image.new("L", (9, 8)))


@pytest.mark.parametrize(("size", "left"), [((100_000, 1), 0), ((1, 100_000), 0), ((2, 2), 0)])
@pytest.mark.parametrize("resize", ["stretch", "crop", "pad"])
def test_extreme_shapes_cost_no_memory(size: tuple[int, int], left: int, resize: str) -> None:
    assert InputSpec((224, 224), "RGB", resize, 0.875).prepare(Image.new("RGB", size)).shape == (3, 224, 224)


def test_pad_is_black_around_the_middle() -> None:
    array = InputSpec((8, 8), "L", "pad", scale=1.0).prepare(Image.new("L", (16, 8), 255))[0]
    assert array[:2].max() == 0
    assert array[6:].max() == 0
    assert array[2:6].min() == 255


@pytest.mark.parametrize(
    ("spec", "want"),
    [
        (InputSpec((8, 6), "L"), Want("L", 32, 24)),
        (InputSpec((8, 6), "BGR"), Want("RGB", 32, 24)),
        (InputSpec((224, 224), "RGB", "crop", 0.875), Want("RGB", 1024, 1024)),
        (InputSpec((8, 6), "RGB", "pad"), Want("RGB", 32, 24, inside=True)),
        (InputSpec((8, 6), "RGB", "exact"), Want("RGB")),
        (InputSpec((8, 6), "RGB", decode="exact"), Want("RGB")),
    ],
)
def test_four_source_pixels_are_wanted_for_each_of_the_input(spec: InputSpec, want: Want) -> None:
    assert spec.want() == want


@pytest.mark.parametrize("mode", ["L", "RGB", "BGR"])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC", "flat"])
def test_seen_is_what_was_prepared(mode: str, layout: str) -> None:
    spec = InputSpec((9, 7), mode, layout=layout, mean=(0.4,), std=(0.2,))
    image = picture(9, 7, "L" if mode == "L" else "RGB")
    assert np.array_equal(np.asarray(spec.render(spec.prepare(image))), np.asarray(image))
