"""Sizes and crops to the pixel: the same array as torchvision, timm and transformers make of the same thirty photos.

They scale by Pillow, so nothing may differ, not in the last bit.
"""

import importlib
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cvserve.predictor.images.decode import decode
from cvserve.predictor.images.fit import cut_centre, keep_shape, pad
from cvserve.predictor.images.limits import Limits, Want
from cvserve.predictor.models.config.presets import PRESETS, find_preset
from cvserve.predictor.models.input_spec import InputSpec
from support.photos import open_upright, thirty_photos

pytest.importorskip("skimage", reason="pip install scikit-image, and this test runs")
LIMITS, WANT = Limits(), Want("RGB")
IMAGENET = {key: PRESETS["imagenet"][key] for key in ("mean", "std")}
HALF = {key: PRESETS["half"][key] for key in ("mean", "std")}
CLIP = {key: PRESETS["clip"][key] for key in ("mean", "std")}
Array = np.ndarray[Any, Any]


# Of each photo what we make of its file, and what a framework's loader does.
Photos = dict[str, tuple[Image.Image, Image.Image]]


@pytest.fixture(scope="module")
def photos() -> Photos:
    found = {name: (decode(data, WANT, LIMITS)[0], open_upright(data)) for name, data in thirty_photos().items()}
    assert len(found) == 30
    return found


def compare(photos: Photos, theirs: Callable[[Image.Image], Any], spec: InputSpec) -> None:
    """Both make the same array of every photo."""
    assert spec.want() == WANT
    different = {}
    for name, (decoded, opened) in photos.items():
        wanted = np.asarray(theirs(opened))
        ours = spec.prepare(decoded)
        assert (ours.shape, ours.dtype) == (wanted.shape, wanted.dtype), name
        if not np.array_equal(ours, wanted):
            different[name] = float(np.abs(ours - wanted).max())
    assert different == {}


def test_torchvision(photos: Photos) -> None:
    transforms = pytest.importorskip("torchvision.transforms")
    bicubic = transforms.InterpolationMode.BICUBIC
    end = (transforms.ToTensor(), transforms.Normalize(IMAGENET["mean"], IMAGENET["std"]))
    for steps, spec in [
        ((transforms.Resize(256), transforms.CenterCrop(224)), InputSpec(**PRESETS["imagenet"])),
        (
            (transforms.Resize(232, bicubic), transforms.CenterCrop(224)),
            make_crop((224, 224), short_side=232, resample="bicubic"),
        ),
        ((transforms.Resize(151), transforms.CenterCrop(150)), make_crop((150, 150), short_side=151)),
        # Larger than what it is cut out of: black around.
        ((transforms.Resize(100), transforms.CenterCrop((95, 121))), make_crop((121, 95), short_side=100)),
        ((transforms.Resize((120, 90)),), InputSpec((90, 120), decode="exact", **IMAGENET)),
    ]:
        compare(photos, transforms.Compose([*steps, *end]), spec)


def test_grey_of_torchvision(photos: Photos) -> None:
    """Of a colour JPEG its luma would be a grey level away in places."""
    transforms = pytest.importorskip("torchvision.transforms")
    steps = (transforms.Grayscale(), transforms.Resize(32), transforms.CenterCrop(28), transforms.ToTensor())
    spec = InputSpec((28, 28), "L", "crop", short_side=32, decode="exact")
    compare(photos, transforms.Compose(steps), spec)


def test_ultralytics_itself(photos: Photos) -> None:
    augment = pytest.importorskip("ultralytics.data.augment", reason="pip install ultralytics, and this test runs")
    compare(photos, augment.classify_transforms(224), InputSpec((224, 224), resize="crop", decode="exact"))


def make_crop(size: tuple[int, int], **fields: Any) -> InputSpec:
    return InputSpec(size, resize="crop", decode="exact", **{**IMAGENET, **fields})


def test_ultralytics(photos: Photos) -> None:
    """Its `classify_transforms` are torchvision's: short side to the size, its centre, 0…1."""
    transforms = pytest.importorskip("torchvision.transforms")
    theirs = transforms.Compose([transforms.Resize(224), transforms.CenterCrop(224), transforms.ToTensor()])
    compare(photos, theirs, InputSpec((224, 224), resize="crop", decode="exact"))


@pytest.mark.parametrize(
    "name",
    ["resnet18", "vit_tiny_patch16_224", "mobilenetv3_small_100.lamb_in1k", "dm_nfnet_f0.dm_in1k"],
)
def test_timm(name: str, photos: Photos) -> None:
    """Short sides that are cut off to whole pixels, bicubic, and both sides scaled (`squash`)."""
    data = pytest.importorskip("timm.data")
    models = pytest.importorskip("timm.models")
    config = data.resolve_data_config(pretrained_cfg=models.get_pretrained_cfg(name).to_dict())
    compare(photos, data.create_transform(**config, is_training=False), InputSpec(**find_preset(f"timm:{name}")))


def test_timm_cuts_no_square_in_another_way(photos: Photos) -> None:
    data = pytest.importorskip("timm.data")
    theirs = data.create_transform((3, 90, 133), interpolation="bicubic", crop_pct=0.93, **HALF)
    spec = InputSpec((133, 90), resize="crop", crop_ratio=0.93, resample="bicubic", decode="exact", **HALF)
    compare(photos, theirs, spec)


def test_transformers(photos: Photos) -> None:
    """Their processors that scale by Pillow; a centre begins a pixel further up and left than torchvision's."""
    pytest.importorskip("transformers")
    down = {"resize": "crop", "crop_rounding": "down"}
    for name, options, fields in [
        ("ViT", {}, HALF),
        ("CLIP", {}, {**down, "resample": "bicubic", **CLIP}),
        ("ConvNext", {"size": {"shortest_edge": 224}}, {**down, "short_side": 256, "resample": "bicubic", **HALF}),
        ("DeiT", {}, {**down, "resize": "squash", "short_side": 256, "resample": "bicubic", **HALF}),
    ]:
        folder = name.lower()
        module = importlib.import_module(f"transformers.models.{folder}.image_processing_pil_{folder}")
        run = getattr(module, f"{name}ImageProcessorPil")(**options)
        theirs = partial(run, return_tensors="np")
        spec = InputSpec((224, 224), decode="exact", **fields)
        compare(photos, lambda image, run=theirs: run(image)["pixel_values"][0], spec)  # type: ignore[misc]


@pytest.mark.parametrize("size", [(8, 2100), (2100, 8), (9, 2400)])
@pytest.mark.parametrize("name", ["bilinear", "bicubic", "lanczos", "nearest"])
def test_of_a_line_only_the_centre_is_scaled_and_it_is_as_good(size: tuple[int, int], name: str) -> None:
    filter_ = Image.Resampling[name.upper()]
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, size[::-1], dtype=np.uint8))
    scaled = keep_shape(image, (256, 256))
    assert scaled[0] * scaled[1] > 16_000_000
    left, top = (round((side - 224) / 2) for side in scaled)
    whole = image.resize(scaled, filter_).crop((left, top, left + 224, top + 224))
    apart = np.abs(np.asarray(cut_centre(image, (224, 224), scaled, filter_)).astype(int) - np.asarray(whole))
    # Of noise, the hardest of pictures, a few values are rounded to their other neighbour.
    assert apart.max() <= 1
    assert apart.mean() < 1e-4


def test_of_a_line_that_is_too_thin_black_is_around_the_centre() -> None:
    """As torchvision's `Resize(100), CenterCrop(120)`; all of it would be 100 by 10,000,000 pixels."""
    image = Image.new("L", (100_000, 1), 200)
    cut = np.asarray(cut_centre(image, (120, 120), keep_shape(image, (100, 100)), Image.Resampling.BILINEAR))
    assert (cut[10:110] == 200).all()
    assert cut.sum() == 100 * 120 * 200


def test_pad_keeps_all_of_the_picture_in_the_middle() -> None:
    padded = np.asarray(pad(Image.new("RGB", (32, 8), (1, 2, 3)), (8, 8), Image.Resampling.BOX))
    assert padded[3:5].reshape(-1, 3).tolist() == [[1, 2, 3]] * 16
    assert padded.sum() == 16 * 6
