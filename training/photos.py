"""Pictures without a digit: crops of ordinary photos, split by photo, and blank pictures of all sorts."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from composites import as_jpeg, noise

OPENCV_DATA = Path("/usr/share/doc/opencv-doc/examples/data")

# Photos by source. No photo, and no second view of one scene, is in two parts.
OPENCV = {
    "train": (
        "aero3.jpg", "aloeL.jpg", "baboon.jpg", "basketball1.png", "blox.jpg", "board.jpg", "box_in_scene.png",
        "building.jpg", "butterfly.jpg", "chicky_512.png", "ela_original.jpg", "graf1.png", "HappyFish.jpg",
        "home.jpg", "left.jpg", "left03.jpg", "left07.jpg", "leuvenA.jpg", "licenseplate_motion.jpg",
        "rubberwhale1.png", "smarties.png", "starry_night.jpg", "text_defocus.jpg", "WindowsLogo.jpg", "pic2.png",
        "pic4.png", "Blender_Suzanne1.jpg", "pca_test1.jpg", "ml.png",
    ),
    "tune": ("apple.jpg", "fruits.jpg", "box.png", "text_motion.jpg"),
    "test": ("messi5.jpg", "orange.jpg", "squirrel_cls.jpg", "stuff.jpg"),
}  # fmt: skip
SKIMAGE = {
    "train": ("cell.png", "retina.jpg", "clock_motion.png"),
    "tune": ("moon.png", "ihc.png", "motorcycle_left.png"),
    "test": (
        "astronaut.png", "brick.png", "camera.png", "chelsea.png", "coffee.png", "coins.png", "grass.png",
        "gravel.png", "hubble_deep_field.jpg", "rocket.jpg",
    ),
}  # fmt: skip
SKLEARN: dict[str, tuple[str, ...]] = {"train": (), "tune": (), "test": ("china.jpg", "flower.jpg")}


# Of ``photos("test")``, those in the public domain or under CC0, which may be committed without more ado.
FREE_TEST_PHOTOS = slice(len(OPENCV["test"]), len(OPENCV["test"]) + len(SKIMAGE["test"]))


def _package(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"install {name} to read its sample photos")
    return Path(spec.origin).parent


@cache
def photos(part: str) -> tuple[Image.Image, ...]:
    """All photos of one part, RGB, no larger than 1024 pixels a side."""
    paths = [OPENCV_DATA / name for name in OPENCV[part]]
    paths += [_package("skimage") / "data" / name for name in SKIMAGE[part]]
    paths += [_package("sklearn") / "datasets" / "images" / name for name in SKLEARN[part]]
    images = []
    for path in paths:
        with Image.open(path) as image:
            picture = image.convert("RGB")
        picture.thumbnail((1024, 1024))
        images.append(picture)
    return tuple(images)


def photo(part: str, rng: np.random.Generator, only: slice = slice(None)) -> Image.Image:
    """A whole photo or a crop of one: sides of 12 % of the photo and up, resized to 64..512 pixels.

    Args:
        part: "train", "tune" or "test".
        rng: the source of chance.
        only: which of ``photos(part)`` to choose from.
    """
    choices = photos(part)[only]
    whole = choices[int(rng.integers(len(choices)))]
    if rng.random() < 0.15:
        crop = whole
    else:
        share = np.exp(rng.uniform(np.log(0.12), 0))
        width, height = (max(side * share * rng.uniform(0.75, 1), 16) for side in whole.size)
        left, top = rng.uniform(0, whole.width - width), rng.uniform(0, whole.height - height)
        crop = whole.crop((round(left), round(top), round(left + width), round(top + height)))
    scale = rng.uniform(64, 512) / max(crop.size)
    crop = crop.resize((max(round(crop.width * scale), 8), max(round(crop.height * scale), 8)))
    if rng.random() < 0.5:
        crop = crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if part == "train":
        crop = _varied(crop, rng)
    if rng.random() < 0.3:
        crop = crop.convert("L")
    return as_jpeg(crop, int(rng.integers(60, 95))) if rng.random() < 0.5 else crop


def _varied(crop: Image.Image, rng: np.random.Generator) -> Image.Image:
    """More from few photos: turned, as a negative, with other contrast."""
    crop = crop.rotate(int(rng.integers(4)) * 90, expand=True)
    tones = np.asarray(crop, dtype=np.float32)
    if rng.random() < 0.2:
        tones = 255 - tones
    if rng.random() < 0.4:
        tones = (tones - tones.mean()) * rng.uniform(0.4, 1.6) + rng.uniform(60, 190)
    return Image.fromarray(np.clip(tones, 0, 255).astype(np.uint8))


def texture(rng: np.random.Generator) -> Image.Image:
    """A made-up picture of smooth blotches of many sizes, as no pen draws them."""
    size = (int(rng.integers(48, 320)), int(rng.integers(48, 320)))
    waves = 2 ** rng.uniform(0.7, 5, int(rng.integers(1, 5)))
    tones = sum(noise(size[::-1], int(wave), rng) * wave ** -rng.uniform(0, 1.2) for wave in waves)
    tones = np.asarray(tones) / np.std(np.asarray(tones))
    if rng.random() < 0.4:
        tones = np.tanh(tones * rng.uniform(2, 20) + rng.normal(0, 0.8))
    picture = rng.uniform(60, 200) + rng.uniform(15, 80) * tones + rng.normal(0, rng.uniform(0, 8), tones.shape)
    return Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))


def blank(rng: np.random.Generator) -> Image.Image:
    """Nothing drawn: one colour, a slope of light, or paper with grain and shadow; any size."""
    width, height = (int(rng.choice((8, 28, 64, 128, 280, 384, 512))) for _ in range(2))
    colour = rng.uniform(0, 255, 3) if rng.random() < 0.5 else np.repeat(rng.uniform(0, 255), 3)
    picture = np.broadcast_to(colour, (height, width, 3)).astype(np.float64)
    chance = rng.random()
    if chance > 0.25:
        angle = rng.uniform(0, 2 * np.pi)
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        slope = (x / width - 0.5) * np.cos(angle) + (y / height - 0.5) * np.sin(angle)
        picture = picture * (1 + rng.uniform(0, 1) * slope[..., None])
    if chance > 0.5:
        picture = picture + rng.normal(0, rng.uniform(0.5, 14), (height, width))[..., None]
    if chance > 0.8:
        picture = picture + rng.uniform(1, 10) * noise((height, width), int(rng.integers(2, 6)), rng)[..., None]
    image = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
    if rng.random() < 0.3:
        image = image.filter(ImageFilter.GaussianBlur(0.8))
    return as_jpeg(image, int(rng.integers(50, 95))) if rng.random() < 0.5 else image
