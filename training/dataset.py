"""Makes labelled pictures of every kind, and their features through the model's own preparation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import distance_transform_edt, gaussian_filter, map_coordinates
from skimage.morphology import skeletonize

from composites import KINDS, Shape, Truth
from cvserve.predictor.backends.builtin.preparation import SOURCE_SIDE_PX, prepare
from fonts import HANDWRITTEN, PRINTED, random_glyph
from photos import blank, photo, texture
from scans import Scan, load_digits_scans, opencv_scans, scans, traced
from strokes import draw

NO_DIGIT = 10
# Letters and signs that no digit looks like, for pictures that hold something drawn but no digit.
LETTERS = "AEFHKMNRWXYmwkvxhnruadeft&%#@?!+=*"


def upright(image: Image.Image) -> Image.Image:
    """Decode the way the predictor does: JPEG at a reduced scale, modes that the model takes."""
    if image.format == "JPEG":
        image.draft("L", (SOURCE_SIDE_PX, SOURCE_SIDE_PX))
    image.load()
    return image if image.mode in ("L", "LA", "RGB", "RGBA") else image.convert("RGB")


def _pen(shape: Shape, rng: np.random.Generator) -> Shape:
    """Write a traced shape again along its middle lines with a pen of another width."""
    small = Image.fromarray(shape)
    small.thumbnail((96, 96))
    solid = np.pad(np.asarray(small), 14) > 127
    line = np.asarray(skeletonize(solid))  # type: ignore[no-untyped-call, unused-ignore]
    if line.sum() < 5:
        return shape
    distance = gaussian_filter(distance_transform_edt(~line), 0.8)
    radius = rng.uniform(1.3, 8.0)
    ink = Image.fromarray((np.clip(radius - distance + 0.5, 0, 1) * 255).astype(np.uint8))
    return np.asarray(ink.crop(ink.getbbox()))


def _bent(shape: Shape, rng: np.random.Generator) -> Shape:
    """Bend the shape by a smooth random field (Simard 2003), a few per cent of its size."""
    side = max(shape.shape)
    padded = np.pad(shape, side // 12)
    rows, columns = np.mgrid[0 : padded.shape[0], 0 : padded.shape[1]].astype(np.float32)
    moves = []
    for _ in range(2):
        field = Image.fromarray(rng.standard_normal((5, 5), dtype=np.float32))
        moves.append(np.asarray(field.resize(padded.shape[::-1], Image.Resampling.BICUBIC)) * side * 0.035)
    bent = map_coordinates(padded, (rows + moves[0], columns + moves[1]), order=1)
    image = Image.fromarray(bent)
    return np.asarray(image.crop(image.getbbox()))


def digit_shape(part: str, source: str, rng: np.random.Generator) -> tuple[Shape, int]:
    """One digit's ink at large size from a "scan", a "hand" font, a "print" font or a "stroke"."""
    digit = int(rng.integers(10))
    if source == "scan":
        scan, digit = _random(opencv_scans(part) if rng.random() < 0.8 else load_digits_scans(part), rng)
        shape = traced(scan, rng.uniform(0.3, 0.55))
        if rng.random() < 0.55:
            shape = _pen(shape, rng)
    elif source == "stroke":
        shape = draw(digit, rng)
    else:
        families = (HANDWRITTEN if source == "hand" else PRINTED)[part]
        shape = random_glyph(families, str(digit), rng)
        if source == "hand" and rng.random() < 0.4:
            shape = _pen(shape, rng)
    if part == "train" and source != "print" and rng.random() < 0.65:
        shape = _bent(shape, rng)
    return shape, digit


def _random(choices: tuple[Scan, ...], rng: np.random.Generator) -> Scan:
    return choices[int(rng.integers(len(choices)))]


def raw_picture(scan: NDArray[np.uint8], rng: np.random.Generator, truth: Truth) -> Image.Image:
    """A scan as it is: 8x8 or 20x20 pixels, with a margin or not, in either polarity, perhaps turned."""
    if rng.random() < 0.6:
        scan = np.pad(scan, 4 if scan.shape[0] == 20 else 1)
    image = Image.fromarray(scan)
    if rng.random() < (0.5 if scan.shape[0] > 10 else 0.3):
        truth.rotation_deg = float(rng.uniform(-15, 15))
        image = image.rotate(truth.rotation_deg, Image.Resampling.BICUBIC)
    truth.light_pen = bool(rng.random() < 0.7)
    if not truth.light_pen:
        image = Image.fromarray(255 - np.asarray(image))
    if rng.random() < 0.2:
        scale = int(rng.integers(2, 20))
        image = image.resize((image.width * scale, image.height * scale), Image.Resampling.BICUBIC)
    return image


def digit_picture(part: str, kind: str, rng: np.random.Generator) -> tuple[Image.Image, int, Truth]:
    """One picture of a kind: "raw", "print" or one of ``composites.KINDS``."""
    truth = Truth(large=part != "train" or bool(rng.random() < 0.15))
    if kind == "raw":
        scan, digit = _random(scans(part), rng)
        return raw_picture(scan, rng, truth), digit, truth
    if kind == "print":
        shape, digit = digit_shape(part, "print", rng)
        under = KINDS[str(rng.choice(("scan", "canvas", "paper", "tiny")))]
        return under(shape, rng, truth), digit, truth
    sources, shares = ("scan", "hand", "stroke"), (0.55, 0.25, 0.2)
    if part != "train":
        sources, shares = ("scan", "hand", "stroke"), (0.65, 0.35, 0.0)
    shape, digit = digit_shape(part, str(rng.choice(sources, p=shares)), rng)
    return KINDS[kind](shape, rng, truth), digit, truth


def other_picture(part: str, rng: np.random.Generator) -> Image.Image:
    """A picture without one digit: photo, texture, letter, several characters, or blank."""
    chance = rng.random()
    if chance < 0.45:
        return photo(part, rng)
    if chance < 0.6:
        return texture(rng)
    if chance < 0.8:
        families = PRINTED[part] if rng.random() < 0.5 else HANDWRITTEN[part]
        shape = random_glyph(families, LETTERS[int(rng.integers(len(LETTERS)))], rng)
        kind = str(rng.choice(tuple(KINDS)))
        return KINDS[kind](shape, rng, Truth())
    return blank(rng)


TRAINING_MIX = {"raw": 0.18, "scan": 0.1, "paper": 0.2, "chalk": 0.13, "canvas": 0.12, "tiny": 0.09, "print": 0.18}
OTHER_SHARE = 0.22


def training_pictures(count: int, seed: tuple[int, int]) -> Iterator[tuple[Image.Image, int]]:
    """Draw labelled training pictures, decoded like the predictor does; equal seeds give equal pictures."""
    rng = np.random.default_rng(seed)
    kinds, shares = list(TRAINING_MIX), list(TRAINING_MIX.values())
    for _ in range(count):
        if rng.random() < OTHER_SHARE:
            yield upright(other_picture("train", rng)), NO_DIGIT
        else:
            image, label, _ = digit_picture("train", str(rng.choice(kinds, p=shares)), rng)
            yield upright(image), label


TUNING_SEED = 77
TUNING_PER_KIND = 400


def tuning_pictures() -> Iterator[tuple[Image.Image, int]]:
    """Labelled pictures from the tuning sources: equally many of each kind of digit, photos and blanks."""
    for number, kind in enumerate(TRAINING_MIX):
        rng = np.random.default_rng([TUNING_SEED, number])
        for _ in range(TUNING_PER_KIND):
            image, label, _ = digit_picture("tune", kind, rng)
            yield upright(image), label
    rng = np.random.default_rng([TUNING_SEED, 50])
    for _ in range(TUNING_PER_KIND):
        yield upright(photo("tune", rng)), NO_DIGIT
        yield upright(blank(rng)), NO_DIGIT


def features_of(
    pictures: Iterable[tuple[Image.Image, int]],
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Prepare pictures; those that the preparation itself refuses are left out."""
    rows, labels = [], []
    for image, label in pictures:
        features, warning = prepare(image)
        if warning is None:
            rows.append(features)
            labels.append(label)
    return np.stack(rows), np.asarray(labels)
