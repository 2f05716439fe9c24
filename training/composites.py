"""Pictures composed from an ink shape: scan, paper under a lamp, chalk board, drawing canvas, print, tiny picture."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

Shape = NDArray[np.uint8]
"""Ink 0..255, uint8 [H, W], cropped to the ink."""


@dataclass(slots=True)
class Truth:
    """What is known of a composed picture, for tables by property."""

    large: bool = True
    """Photos of 384x512 pixels and up; else half of that, which is quicker to make."""
    light_pen: bool = False
    height_share: float = 0.0
    rotation_deg: float = 0.0
    extra: dict[str, float] = field(default_factory=dict)


def noise(shape: tuple[int, int], coarse: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Smooth noise of mean 0 and deviation about 1, with ``coarse`` waves on the long side."""
    rows, columns = (max(round(side * coarse / max(shape)), 2) for side in shape)
    small = Image.fromarray(rng.standard_normal((rows, columns), dtype=np.float32))
    return np.asarray(small.resize(shape[::-1], Image.Resampling.BICUBIC))


def placed(
    shape: Shape, size: tuple[int, int], rng: np.random.Generator, truth: Truth, shares: tuple[float, float]
) -> NDArray[np.float32]:
    """Turn, slant, scale and place the shape somewhere in a frame.

    Args:
        shape: the ink.
        size: width and height of the frame in pixels.
        rng: the source of chance.
        truth: gets rotation and height.
        shares: least and greatest height of the digit, as a share of the frame's height.

    Returns:
        Coverage 0..1, float32 [H, W].
    """
    width, height = size
    truth.rotation_deg = float(rng.uniform(-15, 15))
    share = float(np.exp(rng.uniform(np.log(shares[0]), np.log(shares[1]))))
    turned = Image.fromarray(np.pad(shape, 2)).rotate(truth.rotation_deg, Image.Resampling.BICUBIC, expand=True)
    slant = rng.normal(0, 0.1)
    reach = abs(slant) * turned.height
    turned = turned.transform(
        (round(turned.width + reach), turned.height),
        Image.Transform.AFFINE,
        (1, slant, -slant * turned.height / 2 - reach / 2, 0, 1, 0),
        Image.Resampling.BICUBIC,
    )
    turned = turned.crop(turned.getbbox() or (0, 0, 1, 1))
    tall = share * height
    wide = tall * turned.width / turned.height * rng.uniform(0.85, 1.15)
    shrink = min(1.0, 0.94 * width / wide, 0.96 * height / tall)
    tall, wide = max(tall * shrink, 4), max(wide * shrink, 2)
    truth.height_share = tall / height
    left = rng.uniform(0.02, 0.98 - wide / width) * width if wide / width < 0.96 else (width - wide) / 2
    top = rng.uniform(0.02, 0.98 - tall / height) * height if tall / height < 0.96 else (height - tall) / 2
    frame = Image.new("L", size)
    final = turned.resize((max(round(wide), 1), max(round(tall), 1)), Image.Resampling.HAMMING)
    frame.paste(final, (round(left), round(top)))
    return np.asarray(np.asarray(frame) / 255, dtype=np.float32)


def _frame(rng: np.random.Generator, truth: Truth) -> tuple[int, int]:
    """Width and height of a photo."""
    width, height = ((192, 256), (256, 192), (240, 320), (200, 200), (320, 240))[int(rng.integers(5))]
    return (width * 2, height * 2) if truth.large else (width, height)


def as_jpeg(image: Image.Image, quality: int) -> Image.Image:
    """Store as JPEG; the result is not decoded yet, so that the reader may choose the scale."""
    data = io.BytesIO()
    image.save(data, "JPEG", quality=quality)
    data.seek(0)
    return Image.open(data)


def _colours(tone: float, rng: np.random.Generator, tint: float) -> NDArray[np.float32]:
    """A colour of about this tone."""
    return np.clip(tone + rng.normal(0, tint, 3), 0, 255).astype(np.float32)


def _light(size: tuple[int, int], rng: np.random.Generator, strength: float) -> NDArray[np.float32]:
    """Uneven light, about 1 on average: a slope, a fall-off from a lamp and often the edge of a shadow."""
    width, height = size
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    x, y = x / width - 0.5, y / height - 0.5
    angle = rng.uniform(0, 2 * np.pi)
    light = 1 + strength * rng.uniform(0, 0.8) * (x * np.cos(angle) + y * np.sin(angle))
    centre = rng.uniform(-0.5, 0.5, 2)
    light -= strength * rng.uniform(0, 0.5) * ((x - centre[0]) ** 2 + (y - centre[1]) ** 2)
    if rng.random() < 0.6:
        angle = rng.uniform(0, 2 * np.pi)
        edge = x * np.cos(angle) + y * np.sin(angle) - rng.uniform(-0.35, 0.35)
        edge += rng.uniform(0, 0.12) * np.sin((x * np.sin(angle) - y * np.cos(angle)) * rng.uniform(2, 12))
        light *= 1 - strength * rng.uniform(0.1, 0.65) / (1 + np.exp(-np.clip(edge / rng.uniform(0.01, 0.12), -30, 30)))
    return np.asarray(np.clip(light, 0.15, 1.6), dtype=np.float32)


def paper(shape: Shape, rng: np.random.Generator, truth: Truth) -> Image.Image:
    """A phone photo of a digit on paper: shadows, grain, sometimes ruled lines, blur, JPEG."""
    size = _frame(rng, truth)
    cover = placed(shape, size, rng, truth, (0.13, 0.8))
    tone, pen = rng.uniform(150, 250), rng.uniform(5, 95)
    sheet = _colours(tone, rng, 8)
    ink = _colours(pen, rng, 25 if rng.random() < 0.5 else 5)
    strength = rng.uniform(0.55, 1.0) if rng.random() < 0.85 else rng.uniform(0.3, 0.55)
    cover = cover * strength * np.clip(1 + 0.12 * noise(cover.shape, 120, rng), 0, 1.2)
    texture = 1 + rng.uniform(0, 0.02) * noise(cover.shape, 60, rng)
    texture = texture + rng.uniform(0, 0.02) * noise(cover.shape, 200, rng)
    light = _light(size, rng, rng.uniform(0.2, 1.0)) * texture
    if rng.random() < 0.2:
        light *= 1 - _lines(size, rng)
    if rng.random() < 0.25:
        light *= 1 - _marks(size, rng)
    picture = (sheet + cover[..., None] * (ink - sheet)) * light[..., None]
    picture += rng.normal(0, rng.uniform(1, 9), cover.shape)[..., None]
    image = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
    if rng.random() < 0.6:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.8)))
    return as_jpeg(image, int(rng.integers(45, 95)))


def _lines(size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float32]:
    """Pale ruled lines, in one direction or two, as the share of light they take."""
    width, height = size
    step, thick = rng.uniform(0.05, 0.14) * height, rng.uniform(1, 2.5)
    rows = ((np.arange(height) + rng.uniform(0, step)) % step < thick).astype(np.float32)[:, None]
    columns = ((np.arange(width) + rng.uniform(0, step)) % step < thick).astype(np.float32)[None, :]
    lines = np.maximum(rows, columns) if rng.random() < 0.4 else rows + 0 * columns
    return lines * np.float32(rng.uniform(0.05, 0.25))


def _marks(size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float32]:
    """What lies about on photos: specks, or the table beside the sheet, as the share of light it takes."""
    width, height = size
    if rng.random() < 0.4:
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        side = int(rng.integers(4))
        depth = (x / width, 1 - x / width, y / height, 1 - y / height)[side]
        depth = depth + rng.normal(0, 0.06) * ((y / height, x / width)[side // 2] - 0.5)
        return np.asarray((depth < rng.uniform(0.01, 0.09)) * rng.uniform(0.2, 0.9), dtype=np.float32)
    specks = Image.new("L", size)
    pen = ImageDraw.Draw(specks)
    for _ in range(int(rng.integers(1, 8))):
        x, y, radius = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(0.002, 0.008) * height
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return np.asarray(specks, dtype=np.float32) * np.float32(rng.uniform(0.2, 0.9) / 255)


def chalk(shape: Shape, rng: np.random.Generator, truth: Truth) -> Image.Image:
    """Chalk on a green, grey or black board, with wiped traces."""
    size = _frame(rng, truth)
    truth.light_pen = True
    cover = placed(shape, size, rng, truth, (0.14, 0.8))
    board = rng.uniform(20, 95)
    ground = np.clip(board + np.array(((0, 14, 0), (0, 0, 0), (-5, 5, 8))[int(rng.integers(3))]), 0, 255)
    stick = _colours(rng.uniform(185, 250), rng, 10)
    grain = 0.75 + rng.uniform(0.1, 0.5) * noise(cover.shape, 200, rng) + 0.15 * noise(cover.shape, 60, rng)
    grain = np.clip(grain, 0.05, 1)
    cover = cover * grain * rng.uniform(0.6, 1.0)
    dust = np.clip(noise(cover.shape, int(rng.integers(3, 9)), rng), 0, None) * rng.uniform(0, 11)
    dust = dust + rng.uniform(0, 5) * noise(cover.shape, 150, rng)
    picture = ground + dust[..., None]
    picture = (picture + cover[..., None] * (stick - picture)) * _light(size, rng, rng.uniform(0.1, 0.7))[..., None]
    picture += rng.normal(0, rng.uniform(1, 8), cover.shape)[..., None]
    image = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
    if rng.random() < 0.5:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.5)))
    return as_jpeg(image, int(rng.integers(50, 95)))


def canvas(shape: Shape, rng: np.random.Generator, truth: Truth) -> Image.Image:
    """A drawing on a web page's canvas: flat ground, either polarity, often a transparent ground."""
    side = int(rng.choice((140, 200, 280, 280, 320, 400, 512)))
    size = (side, side) if rng.random() < 0.7 else (side, round(side * rng.uniform(0.6, 1.5)))
    cover = placed(shape, size, rng, truth, (0.2, 0.95))
    truth.light_pen = bool(rng.random() < 0.5)
    pen = rng.uniform(190, 256) if truth.light_pen else rng.uniform(0, 70)
    ground = rng.uniform(0, 50) if truth.light_pen else rng.uniform(205, 256)
    if rng.random() < 0.6:
        pen, ground = (255.0, 0.0) if truth.light_pen else (0.0, 255.0)
    ink = _colours(pen, rng, 0 if rng.random() < 0.5 else 20)
    if rng.random() < 0.35:
        rgba = np.zeros((*cover.shape, 4), dtype=np.uint8)
        rgba[..., :3] = ink.astype(np.uint8) if rng.random() < 0.5 else (ink * (cover[..., None] > 0)).astype(np.uint8)
        rgba[..., 3] = (cover * 255).astype(np.uint8)
        return Image.fromarray(rgba)
    picture = ground + cover[..., None] * (ink - ground)
    return Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))


def scan(shape: Shape, rng: np.random.Generator, truth: Truth) -> Image.Image:
    """A cut-out from a flat-bed scan: even light, little noise."""
    height = int(rng.integers(48, 420))
    size = (round(height * rng.uniform(0.7, 1.4)), height)
    cover = placed(shape, size, rng, truth, (0.3, 0.97))
    sheet, pen = rng.uniform(200, 255), rng.uniform(0, 110)
    picture = sheet + cover * (pen - sheet) + rng.normal(0, rng.uniform(0, 6), cover.shape)
    if rng.random() < 0.15:
        truth.light_pen = True
        picture = 255 - picture
    image = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
    if rng.random() < 0.5:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.2, 1.2)))
    return as_jpeg(image, int(rng.integers(60, 96))) if rng.random() < 0.5 else image


def tiny(shape: Shape, rng: np.random.Generator, truth: Truth) -> Image.Image:
    """A picture of 8x8 to 48x48 pixels, mostly light on dark like the classic data sets."""
    side = int(rng.choice((8, 16, 20, 28, 28, 32, 48)))
    big = placed(shape, (side * 8, side * 8), rng, truth, (0.65, 0.98) if side < 28 else (0.5, 0.9))
    cover = np.asarray(Image.fromarray(big).resize((side, side), Image.Resampling.BOX))
    cover = np.clip(cover / max(float(cover.max()), 0.2), 0, 1)
    truth.light_pen = bool(rng.random() < 0.7)
    picture = cover * 255 if truth.light_pen else 255 - cover * 255
    return Image.fromarray(picture.astype(np.uint8))


KINDS: dict[str, Callable[[Shape, np.random.Generator, Truth], Image.Image]] = {
    "scan": scan,
    "paper": paper,
    "chalk": chalk,
    "canvas": canvas,
    "tiny": tiny,
}
