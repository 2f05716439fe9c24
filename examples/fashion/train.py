"""Trains a scikit-learn classifier on Fashion-MNIST and writes what cvserve needs to check and to serve it.

python train.py                            fashion.skops, fashion.toml and held-out/
python train.py --limit 6000 --epochs 3    the same in seconds, less good
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import skops.io
from fashion_mnist import FOLDER, LABELS, SIDE_PX, load
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from sklearn.neural_network import MLPClassifier

CHUNK = 2000
SEED = 0
CONFIG = """\
name = "fashion"
labels = [{labels}]

[input]
size = [{side}, {side}]
mode = "L"
resize = "crop"  # of a picture that is no square, the square in its middle
crop_ratio = 1.0
resample = "bilinear"
invert = false   # light clothes on a black ground
scale = {scale}  # 0…255 to 0…1, as in training
mean = 0.0
std = 1.0
"""


def main() -> None:
    """Train, and write model, config and held-out pictures."""
    options = argparse.ArgumentParser(description="Train on Fashion-MNIST.")
    options.add_argument("--data", type=Path, default=FOLDER, help="folder of the four files")
    options.add_argument("--limit", type=int, default=60_000, help="pictures to train on")
    options.add_argument("--epochs", type=int, default=10, help="times that each picture is seen")
    options.add_argument("--held-out", type=int, default=1000, help="pictures to write for the check")
    asked = options.parse_args()

    pictures, classes = load("train", asked.data)
    model = train(prepared(pictures[: asked.limit]), classes[: asked.limit], asked.epochs)
    skops.io.dump(model, "fashion.skops")
    labels = ", ".join(f'"{label}"' for label in LABELS)
    Path("fashion.toml").write_text(CONFIG.format(labels=labels, side=SIDE_PX, scale=1 / 255), encoding="utf-8")
    write_held_out(*load("t10k", asked.data), count=asked.held_out, folder=Path("held-out"))
    print(f"wrote fashion.skops, fashion.toml and held-out/ with {asked.held_out} pictures that it has never seen")


def prepared(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Rows float32 [N, 784] of 0…1: what `[input]` in fashion.toml makes of a picture."""
    return pictures.reshape(len(pictures), -1) / np.float32(255)


def train(rows: NDArray[np.float32], classes: NDArray[np.uint8], epochs: int) -> MLPClassifier:
    """One hidden layer of 256; the same numbers every time on the same machine."""
    model = MLPClassifier((256,), alpha=1e-4, random_state=SEED)
    columns = (TextColumn("epoch {task.fields[epoch]}"), BarColumn(), TextColumn("loss {task.fields[loss]:.3f}"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bars:
        task = bars.add_task("", total=epochs * len(rows), epoch=1, loss=float("nan"))
        for epoch in range(1, epochs + 1):
            for chosen in shuffled(len(rows), epoch):
                model.partial_fit(rows[chosen], classes[chosen], classes=np.arange(len(LABELS)))
                bars.update(task, advance=len(chosen), epoch=epoch, loss=model.loss_)
    return model


def shuffled(count: int, epoch: int) -> Iterator[NDArray[np.intp]]:
    """Indexes of all pictures in chunks, in another order each time."""
    order = np.random.default_rng((SEED, epoch)).permutation(count)
    for start in range(0, count, CHUNK):
        yield order[start : start + CHUNK]


def write_held_out(pictures: NDArray[np.uint8], classes: NDArray[np.uint8], *, count: int, folder: Path) -> None:
    """The first `count` pictures as `folder/<label>/<number>.png`."""
    for number, (picture, index) in enumerate(zip(pictures[:count], classes[:count], strict=True)):
        path = folder / LABELS[index] / f"{number:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)


if __name__ == "__main__":
    main()
