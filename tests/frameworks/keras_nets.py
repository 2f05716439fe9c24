"""Keras networks as `export` writes them, with their preprocessing inside. Importing this needs Keras and PyTorch."""

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from frameworks.case import Case
from frameworks.photos import photos

os.environ.setdefault("KERAS_BACKEND", "torch")  # read when Keras is imported
import keras  # after its backend is said

SIDE_PX = 32
# `keras.utils.load_img` takes the nearest pixel unless it is told otherwise.
TOML = '[input]\nresize = "stretch"\nresample = "nearest"\ndecode = "exact"\nmode = "RGB"\n'
_SPREAD = 2.0


def pixels(photo: Image.Image) -> NDArray[np.float32]:
    """As `load_img(path, target_size=(32, 32))` and `img_to_array` do it: [1, 32, 32, 3], 0…255."""
    return np.asarray(photo.resize((SIDE_PX, SIDE_PX), Image.Resampling.NEAREST), np.float32)[None]


def network(*first: Any) -> Any:
    """A network that begins with some layers, whose logits are as far apart as those of trained ones.

    Args:
        first: layers that make of 0…255 what the rest takes.
    """
    keras.utils.set_random_seed(5)
    layers = keras.layers
    inputs = keras.Input((SIDE_PX, SIDE_PX, 3))
    values = inputs
    for layer in (
        *first,
        layers.Conv2D(16, 3, strides=2, activation="relu"),
        layers.Conv2D(32, 3, strides=2, activation="relu"),
        layers.Flatten(),
        layers.Dropout(0.5),
    ):
        values = layer(values)
    head = layers.Dense(4)
    model = keras.Model(inputs, layers.Softmax()(head(values)))
    _run(model, np.zeros((1, SIDE_PX, SIDE_PX, 3), np.float32))  # only what was called is exported
    logits = _run(keras.Model(inputs, head.output), np.concatenate([pixels(photo) for photo in photos().values()]))
    factor = _SPREAD / logits.std(axis=0)
    kernel, bias = (np.asarray(weights) for weights in head.get_weights())
    head.set_weights([kernel * factor, (bias - logits.mean(axis=0)) * factor])
    return model


def exported(folder: Path, model: Any) -> Case:
    """The model as Keras exports it."""
    path = folder / "model.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's exporter talks about itself
        model.export(path, format="onnx", verbose=False)
    path.with_suffix(".toml").write_text(TOML, encoding="utf-8")
    return Case(path, lambda photo: answer(model, photo))


def answer(model: Any, photo: Image.Image) -> NDArray[Any]:
    """What the model itself says of a photo: probabilities."""
    scores: NDArray[Any] = _run(model, pixels(photo))[0]
    return scores


def _run(model: Any, batch: NDArray[Any]) -> NDArray[Any]:
    values: NDArray[Any] = keras.ops.convert_to_numpy(model(batch, training=False))
    return values


def _rescaled(folder: Path, scale: float, offset: float) -> Case:
    return exported(folder, network(keras.layers.Rescaling(scale, offset)))


def _normalised(folder: Path) -> Case:
    mean, std = (123.7, 116.3, 103.5), (58.4, 57.1, 57.4)
    return exported(folder, network(keras.layers.Normalization(mean=mean, variance=[side**2 for side in std])))


KERAS: dict[str, Callable[[Path], Case]] = {
    "Rescaling to 0…1": lambda folder: _rescaled(folder, 1 / 255, 0),
    "Rescaling to -1…1": lambda folder: _rescaled(folder, 1 / 127.5, -1),
    "Normalization": _normalised,
}
