"""How far `decode = "auto"` moves the input of a model from a full decode, on photos that come with scikit-learn.

Prints the table of docs/images.md:

    python benchmarks/decode_deviation.py

Each photo is saved as a JPEG (quality 90) at several sizes; both decodes go through the same `[input]`. The numbers
are differences of pixel values, 0…255, before scale, mean and std.
"""

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import sklearn.datasets
from PIL import Image

from cvserve.predictor.images.decode import decode
from cvserve.predictor.images.limits import Limits
from cvserve.predictor.models.input_spec import InputSpec

PHOTOS = ("china.jpg", "flower.jpg")
LONG_SIDES_PX = (640, 1600, 4000)
INPUTS = {
    "8×8 grey, stretch": {"size": (8, 8), "mode": "L"},
    "224×224 RGB, stretch": {"size": (224, 224), "mode": "RGB"},
    "224×224 RGB, crop 0.875": {"size": (224, 224), "mode": "RGB", "resize": "crop", "crop_ratio": 0.875},
    "224×224 RGB, pad": {"size": (224, 224), "mode": "RGB", "resize": "pad"},
}


def photos() -> Iterator[tuple[str, bytes]]:
    """Name and JPEG of each photo at each size."""
    folder = Path(sklearn.datasets.__file__).parent / "images"
    for name in PHOTOS:
        with Image.open(folder / name) as photo:
            for side in LONG_SIDES_PX:
                ratio = side / max(photo.size)
                size = (round(photo.width * ratio), round(photo.height * ratio))
                sized = photo.resize(size, Image.Resampling.LANCZOS)
                buffer = io.BytesIO()
                sized.save(buffer, "JPEG", quality=90)
                yield f"{name} {sized.width}×{sized.height}", buffer.getvalue()


def write(line: str) -> None:
    """Print a row."""
    sys.stdout.write(f"{line}\n")


def main() -> None:
    """Print a row for each photo and input."""
    write("| Photo | Input | Decoded at | Mean difference | 99 % below | Largest |")
    write("|---|---|--:|--:|--:|--:|")
    for photo, data in photos():
        for title, said in INPUTS.items():
            arrays, widths = [], []
            for how in ("exact", "auto"):
                spec = InputSpec(**{"scale": 1.0, "decode": how, **said})  # type: ignore[arg-type, dict-item]
                image, info = decode(data, spec.want(), Limits())
                widths.append(info.width / image.width)
                arrays.append(spec.prepare(image))
            apart = np.abs(arrays[0] - arrays[1])
            scale = f"1/{round(widths[1])}" if round(widths[1]) > 1 else "full"
            figures = (apart.mean(), np.quantile(apart, 0.99), apart.max())
            write(f"| {photo} | {title} | {scale} | " + " | ".join(f"{figure:.2f}" for figure in figures) + " |")


if __name__ == "__main__":
    main()
