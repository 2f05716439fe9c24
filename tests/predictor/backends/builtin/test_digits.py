"""The committed built-in model: its accuracy on held-out pictures, its warnings, and that it needs little."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cvserve.predictor.backends.builtin import FEATURES, SOURCE_SIDE_PX, forward, infer, prepare

ROOT = Path(__file__).resolve().parents[4]
SHEETS = ROOT / "tests" / "data" / "digits"
LABELS: dict[str, dict[str, Any]] = json.loads((SHEETS / "labels.json").read_text())
DIGIT_SHEETS = sorted(name for name in LABELS if name != "photos.jpg")


def tiles(name: str) -> Iterator[tuple[Image.Image, str]]:
    """Every picture of a sheet with its digit, "-" for none."""
    width, height = LABELS[name]["tile_px"]
    with Image.open(SHEETS / name) as file:
        sheet = file.convert("L")
    columns = sheet.width // width
    for number, digit in enumerate(LABELS[name]["digits"]):
        left, top = number % columns * width, number // columns * height
        yield sheet.crop((left, top, left + width, top + height)), digit


def read(image: Image.Image) -> tuple[int, str | None]:
    """Best digit and warning of one picture."""
    features, warning = prepare(image)
    scores, warnings = infer(features[None])
    return int(scores[0].argmax()), warning or warnings[0]


def sheet_answers(name: str) -> list[tuple[bool, bool]]:
    """Per picture of a sheet: right, and warned."""
    answers = []
    for image, digit in tiles(name):
        said, warning = read(image)
        answers.append((str(said) == digit, warning is not None))
    return answers


@pytest.mark.parametrize("name", DIGIT_SHEETS)
def test_accuracy_of_each_kind(name: str) -> None:
    right, warned = np.mean(sheet_answers(name), axis=0)
    assert right >= 0.90
    assert warned <= 0.05


def test_accuracy_over_all() -> None:
    right, warned = np.mean([answer for name in DIGIT_SHEETS for answer in sheet_answers(name)], axis=0)
    assert right >= 0.95
    assert warned <= 0.02


def test_photos_get_a_warning() -> None:
    warned = [read(image)[1] is not None for image, _ in tiles("photos.jpg")]
    assert np.mean(warned) >= 0.85


def blanks() -> Iterator[Image.Image]:
    """Blank pictures: every tone, colours, slopes, noise, transparency, many sizes."""
    rng = np.random.default_rng(7)
    for size in ((1, 1), (8, 8), (28, 28), (100, 37), (384, 512)):
        for tone in (0, 1, 60, 127, 200, 254, 255):
            yield Image.new("L", size, tone)
            grain = np.clip(tone + rng.normal(0, 3, size[::-1]), 0, 255)
            yield Image.fromarray(grain.astype(np.uint8))
        for colour in ("red", "navy", "khaki", "teal"):
            yield Image.new("RGB", size, colour)
        yield Image.new("RGBA", size, (0, 0, 0, 0))
        yield Image.new("LA", size, (90, 128))
    for angle in range(0, 360, 30):
        slope = Image.linear_gradient("L").rotate(angle, Image.Resampling.BILINEAR, expand=False)
        yield slope.crop((50, 50, 206, 206)).resize((240, 180))


def test_every_blank_picture_gets_a_warning() -> None:
    passed = [image for image in blanks() if read(image)[1] is None]
    assert passed == []


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (2, 2), (3, 5), (8, 8), (97, 41), (1500, 20)])
def test_any_mode_and_size_gives_features(mode: str, size: tuple[int, int]) -> None:
    bands = Image.new(mode, size).getbands()
    data = np.random.default_rng(0).integers(0, 256, (size[1], size[0], len(bands)), dtype=np.uint8)
    image = Image.frombytes(mode, size, data.tobytes())
    features, warning = prepare(image)
    assert features.shape == (FEATURES,)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()
    assert warning is None or warning.endswith(".")


def test_same_picture_same_answer_in_every_mode() -> None:
    image, _ = next(tiles("canvas.png"))
    expected, _ = prepare(image)
    for mode in ("L", "RGB", "RGBA", "LA"):
        np.testing.assert_array_equal(prepare(image.convert(mode))[0], expected)


@pytest.mark.parametrize("tone", [0, 255])
def test_pen_on_transparent_ground(tone: int) -> None:
    cover, digit = next(
        (255 - np.asarray(image), d) for image, d in tiles("print.jpg") if np.asarray(image)[0, 0] > 200
    )
    image = Image.new("LA", cover.shape[::-1], (tone, 0))
    image.putalpha(Image.fromarray(cover))
    assert read(image) == (int(digit), None)


def test_rows_of_a_batch_do_not_touch_each_other() -> None:
    rows = np.stack([prepare(image)[0] for image, _ in tiles("scan-20x20.png")])
    together, warnings = infer(rows)
    assert together.shape == (len(rows), 10)
    assert together.dtype == np.float32
    np.testing.assert_allclose(together.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(forward(rows), together)
    for number in range(0, len(rows), 37):
        alone, warning = infer(rows[number : number + 1])
        np.testing.assert_allclose(alone[0], together[number], atol=1e-6)
        assert warning == [warnings[number]]


def test_jpeg_decoded_at_reduced_scale_reads_the_same() -> None:
    agreed = []
    for sample in sorted(files("cvserve").joinpath("samples").iterdir(), key=lambda path: path.name):
        if not sample.name.endswith(".jpg"):
            continue
        data = sample.read_bytes()
        with Image.open(io.BytesIO(data)) as whole, Image.open(io.BytesIO(data)) as reduced:
            reduced.draft("L", (SOURCE_SIDE_PX, SOURCE_SIDE_PX))
            assert min(reduced.size) >= SOURCE_SIDE_PX
            agreed.append(read(whole.convert("RGB")) == read(reduced.convert("L")))
    assert agreed
    assert all(agreed)


def test_samples_are_read_right() -> None:
    names = [path.name for path in files("cvserve").joinpath("samples").iterdir() if path.name.startswith("digit-")]
    assert len(names) >= 6
    for name in names:
        with Image.open(io.BytesIO(files("cvserve").joinpath("samples", name).read_bytes())) as image:
            assert read(image.convert("RGBA")) == (int(name.split("-")[1]), None), name


def test_imports_neither_scikit_learn_nor_scipy() -> None:
    code = (
        "import sys, numpy; from cvserve.predictor.backends.builtin import FEATURES, infer;"
        "infer(numpy.zeros((1, FEATURES), numpy.float32));"
        "print([name for name in ('sklearn', 'skops', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_page_names_the_file() -> None:
    data = files("cvserve.predictor.backends.builtin").joinpath("digits.npz").read_bytes()
    assert hashlib.sha256(data).hexdigest() in (ROOT / "docs" / "builtin-model.md").read_text()
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        assert all(arrays[name].dtype != object for name in arrays.files)
