"""Makes the committed pictures from held-out sources: sheets for the tests and samples that ship with cvserve."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from composites import Shape, Truth, canvas, chalk, paper
from cvserve.predictor.backends.builtin import infer, prepare
from dataset import digit_picture, digit_shape, raw_picture, upright
from fonts import HANDWRITTEN, PRINTED, random_glyph
from photos import FREE_TEST_PHOTOS, photo
from scans import load_digits_scans, opencv_scans

ROOT = Path(__file__).resolve().parent.parent
SHEETS = ROOT / "tests" / "data" / "digits"
SAMPLES = ROOT / "src" / "cvserve" / "samples"
SEED = 4052
COLUMNS = 20
# Sheets: kind, pictures, tile width and height in pixels, file ending.
COMPOSITES = (
    ("paper", 100, (96, 128), "jpg"),
    ("chalk", 100, (96, 128), "jpg"),
    ("canvas", 120, (72, 72), "png"),
    ("print", 120, (72, 72), "jpg"),
)


def _sheet(tiles: list[Image.Image], name: str) -> None:
    """Save tiles of one size as one picture, ``COLUMNS`` a row."""
    width, height = tiles[0].size
    sheet = Image.new("L", (COLUMNS * width, -(-len(tiles) // COLUMNS) * height), 128)
    for number, tile in enumerate(tiles):
        sheet.paste(tile, (number % COLUMNS * width, number // COLUMNS * height))
    if name.endswith("jpg"):
        sheet.save(SHEETS / name, quality=80)
    else:
        sheet.save(SHEETS / name, optimize=True)


def _tile(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Bring a picture to a tile: grey, transparency onto white."""
    image = upright(image)
    if image.mode in ("RGBA", "LA"):
        ground = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(ground, image.convert("RGBA"))
    return image.convert("L").resize(size, Image.Resampling.BOX)


def make_sheets() -> None:
    """Write all sheets and ``labels.json``: per sheet its tile size and its digits, one character a tile."""
    SHEETS.mkdir(parents=True, exist_ok=True)
    labels: dict[str, dict[str, object]] = {}
    for name, scans in (("scan-20x20", opencv_scans("test")), ("scan-8x8", load_digits_scans("test"))):
        rng = np.random.default_rng(SEED)
        chosen = [scans[index] for index in rng.choice(len(scans), 300, replace=False)]
        _sheet([Image.fromarray(scan) for scan, _ in chosen], f"{name}.png")
        labels[f"{name}.png"] = {
            "tile_px": list(chosen[0][0].shape[::-1]),
            "digits": "".join(str(digit) for _, digit in chosen),
        }
    for number, (kind, count, size, ending) in enumerate(COMPOSITES):
        rng = np.random.default_rng([SEED, number])
        tiles: list[Image.Image] = []
        digits = ""
        while len(tiles) < count:
            image, digit, truth = digit_picture("test", kind, rng)
            # White on transparent would vanish on the sheet's white, a tiny digit would not survive the tile,
            # and a tile of another shape would squeeze the digit.
            squeeze = image.width / image.height / (size[0] / size[1])
            if (image.mode == "RGBA" and truth.light_pen) or truth.height_share < 0.25 or abs(squeeze - 1) > 0.08:
                continue
            tiles.append(_tile(image, size))
            digits += str(digit)
        _sheet(tiles, f"{kind}.{ending}")
        labels[f"{kind}.{ending}"] = {"tile_px": list(size), "digits": digits}
    rng = np.random.default_rng([SEED, 50])
    _sheet([_tile(photo("test", rng, FREE_TEST_PHOTOS), (64, 64)) for _ in range(120)], "photos.jpg")
    labels["photos.jpg"] = {"tile_px": [64, 64], "digits": "-" * 120}
    (SHEETS / "labels.json").write_text(json.dumps(labels, indent=1) + "\n")


def _written(digit: int, rng: np.random.Generator) -> Shape:
    """A held-out person's or font's digit at large size."""
    while True:
        shape, found = digit_shape("test", "scan", rng)
        if found == digit:
            return shape


def make_samples() -> None:
    """Write the samples that ship with cvserve; each must be read right and without a warning."""
    SAMPLES.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(SEED + 1)
    for digit, name, maker in (
        (3, "digit-3-paper.jpg", paper),
        (7, "digit-7-paper.jpg", paper),
        (5, "digit-5-chalk.jpg", chalk),
        (2, "digit-2-canvas.png", canvas),
        (8, "digit-8-canvas.png", canvas),
        (4, "digit-4-print.jpg", paper),
        (6, "digit-6-scan.png", None),
        (9, "digit-9-hand-font.png", canvas),
    ):
        while True:
            image = _sample(digit, name, maker, rng)
            features, warning = prepare(upright(Image.open(SAMPLES / name)))
            scores, warnings = infer(features[None])
            if (warning or warnings[0]) is None and int(scores[0].argmax()) == digit and scores[0].max() > 0.9:
                break
        print(name, image.size, f"{(SAMPLES / name).stat().st_size:,} bytes, score {scores[0].max():.3f}")


def _sample(digit: int, name: str, maker: object, rng: np.random.Generator) -> Image.Image:
    """Draw and save one sample."""
    path = SAMPLES / name
    if maker is None:
        scans = [scan for scan, label in opencv_scans("test") if label == digit]
        image = raw_picture(scans[int(rng.integers(len(scans)))], rng, Truth())
        image.save(path, optimize=True)
        return image
    if "print" in name or "font" in name:
        table = PRINTED if "print" in name else HANDWRITTEN
        shape = random_glyph(table["test"], str(digit), rng)
    else:
        shape = _written(digit, rng)
    while True:
        truth = Truth()
        image = {"paper": paper, "chalk": chalk, "canvas": canvas}[getattr(maker, "__name__", "")](shape, rng, truth)
        upright_photo = image.size == (384, 512) or maker is canvas
        if upright_photo and 0.35 < truth.height_share < 0.65:
            break
    if name.endswith("jpg"):
        image.convert("RGB").save(path, quality=75)
    else:
        image.save(path, optimize=True)
    return image


if __name__ == "__main__":
    make_sheets()
    make_samples()
