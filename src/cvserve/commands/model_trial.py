"""One picture through the steps of a model, each one timed, with what comes out in between."""

import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from cvserve.predictor.images import decode
from cvserve.predictor.prediction import Prediction
from cvserve.predictor.predictor import LoadedPredictor
from cvserve.predictor.steps import Prepared


class Trial(NamedTuple):
    """What happened.

    Attributes:
        prediction: the answer.
        seen: what the model sees, as a picture.
        values: smallest, mean and largest of the values that it gets.
        shape: of the array of one picture.
        dtype: NumPy's name of its type.
        steps_ms: milliseconds for `decode`, `prepare` and `infer`.
    """

    prediction: Prediction
    seen: Image.Image
    values: tuple[float, float, float]
    shape: tuple[int, ...]
    dtype: str
    steps_ms: dict[str, float]


def run_trial(predictor: LoadedPredictor, image: Path, top_k: int) -> Trial:
    """Run the steps once to warm up and once with the clock.

    Raises:
        ImageError: the picture cannot be answered.
        ModelError: the model failed.
    """
    prediction = predictor.predict(image, top_k=top_k)
    begin = time.perf_counter()
    picture, _ = decode(image, predictor.want(), predictor.limits)
    decoded = time.perf_counter()
    prepared = predictor.preprocess(picture)
    array = np.asarray(prepared.array if isinstance(prepared, Prepared) else prepared)
    ready = time.perf_counter()
    predictor.infer(array[None])
    done = time.perf_counter()
    steps_ms = {
        "decode": (decoded - begin) * 1000,
        "prepare": (ready - decoded) * 1000,
        "infer": (done - ready) * 1000,
    }
    values = (float(array.min()), float(array.mean()), float(array.max()))
    seen = predictor.model.preparation.seen(array)
    return Trial(prediction, seen, values, array.shape, str(array.dtype), steps_ms)
