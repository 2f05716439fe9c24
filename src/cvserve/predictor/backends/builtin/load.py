"""The built-in model for one digit as a `LoadedModel`: its own preparation, its weights in NumPy."""

import hashlib
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cvserve.predictor.backends.builtin import digits, preparation
from cvserve.predictor.backends.builtin.grid import GRID_SIDE
from cvserve.predictor.contract import Inferred, LoadedModel, Prepared
from cvserve.predictor.images.limits import Want
from cvserve.predictor.prediction import ModelInfo

NAME = "digits"
LABELS = tuple("0123456789")


class DigitPreparation:
    """Finds the ink, brings it to the network's size, and says when there is none."""

    size = (preparation.SOURCE_SIDE_PX, preparation.SOURCE_SIDE_PX)

    def want(self) -> Want:
        """Grey or colour with its transparency, at the few pixels that the preparation looks at."""
        return Want("ALPHA", *self.size)

    def prepare(self, image: Image.Image) -> Prepared:
        """Features float32 [F] and a warning when nothing is drawn."""
        return Prepared(*preparation.prepare(image))

    def render(self, array: NDArray[Any]) -> Image.Image:
        """The grid of ink that the network looks at, ink white."""
        ink = array[: GRID_SIDE * GRID_SIDE].reshape(GRID_SIDE, GRID_SIDE)
        return Image.fromarray(np.rint(np.clip(ink, 0, 1) * 255).astype(np.uint8))


class DigitBackend:
    """The network, in NumPy."""

    def infer(self, batch: NDArray[Any]) -> Inferred:
        """Probabilities [N, 10] and a warning for each picture that looks like no digit."""
        return Inferred(*digits.infer(batch))


def load_builtin() -> LoadedModel:
    """The model that ships with cvserve."""
    data = resources.files("cvserve.predictor.backends.builtin").joinpath("digits.npz").read_bytes()
    info = ModelInfo(NAME, hashlib.sha256(data).hexdigest(), "builtin")
    origins = {
        "name": (NAME, "file"),
        "labels": (list(LABELS), "file"),
        "output.scores": ("probabilities", "file"),
    }
    return LoadedModel(info, DigitPreparation(), DigitBackend(), LABELS, "probabilities", origins)
