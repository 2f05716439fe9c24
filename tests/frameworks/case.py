"""A model as its framework saved it, and what the framework itself says of the same photos."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cvserve import Predictor
from frameworks.photos import lossless_files, photo_files, photos

# What is promised: all scores of all photos, and the same class.
TOLERANCE = 1e-4
# How flat scores may be without hiding a mistake: the best one is this much above the worst, in the mean.
_LEAST_SPREAD = 0.05

Pipeline = Callable[[Image.Image], Any]


@dataclass(frozen=True)
class Case:
    """A saved model.

    Attributes:
        path: what `--model` names.
        reference: the framework's own pipeline, from a picture of mode RGB to probabilities [classes].
        load: further arguments of `Predictor.load`.
        is_grey: whether it takes grey pictures. The grey of a JPEG is in its file, and cvserve takes it from there;
            Pillow makes it anew of rounded colours, so such a model is compared by PNG files.
    """

    path: str | Path
    reference: Pipeline
    load: dict[str, Any] = field(default_factory=dict)
    is_grey: bool = False

    def differ(self) -> float:
        """The largest difference of all scores of all photos.

        Raises:
            AssertionError: a photo gets another class, or the scores are too flat to tell anything.
        """
        predictor = Predictor.load(self.path, **self.load)
        expected = np.stack([np.asarray(self.reference(photo), np.float64) for photo in photos().values()])
        classes = expected.shape[1]
        files = lossless_files() if self.is_grey else photo_files()
        found = predictor.predict_batch(list(files.values()), top_k=classes)
        given = np.zeros_like(expected)
        for row, prediction in zip(given, found, strict=True):
            for entry in prediction.top:
                row[entry.index] = entry.score
        assert (np.ptp(expected, axis=1)).mean() > _LEAST_SPREAD, "the scores are too flat to tell anything"
        _check_classes(given, expected)
        return float(np.abs(given - expected).max())


def _check_classes(given: NDArray[Any], expected: NDArray[Any]) -> None:
    best = np.sort(expected, axis=1)[:, -2:]
    is_clear = best[:, 1] - best[:, 0] > TOLERANCE
    same = given.argmax(axis=1) == expected.argmax(axis=1)
    assert (same | ~is_clear).all(), "another class"


def soft_max(logits: Any) -> NDArray[np.float64]:
    """Probabilities of one picture's logits."""
    powers = np.exp(np.asarray(logits, np.float64) - np.max(logits))
    return np.asarray(powers / powers.sum())
