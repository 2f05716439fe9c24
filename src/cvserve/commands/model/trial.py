"""Pictures one by one through the steps of a model, each step timed, with what comes out in between."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cvserve.commands.model.side_by_side import side_by_side
from cvserve.commands.terminal.pictures import Picture
from cvserve.errors import CvserveError, InvalidSetting
from cvserve.predictor.contract import Prepared
from cvserve.predictor.images.decode import decode
from cvserve.predictor.images.limits import Want
from cvserve.predictor.prediction import Prediction
from cvserve.predictor.predictor import LoadedPredictor


@dataclass(frozen=True, slots=True)
class Trial:
    """What happened to one picture.

    Attributes:
        prediction: the answer.
        original: the picture as it was sent, upright.
        seen: what the model sees, as a picture.
        values: smallest, mean and largest of the values that it gets.
        shape: of the array of one picture.
        dtype: NumPy's name of its type.
        steps_ms: milliseconds for `decode`, `prepare` and `infer`.
        saved: where original and seen were written, side by side.
    """

    prediction: Prediction
    original: Image.Image
    seen: Image.Image
    values: tuple[float, float, float]
    shape: tuple[int, ...]
    dtype: str
    steps_ms: dict[str, float]
    saved: Path | None = None

    def to_dict(self) -> dict[str, Any]:
        """The answer as everywhere, then what the model saw."""
        low, mean, high = self.values
        seen = {"shape": list(self.shape), "dtype": self.dtype, "min": low, "mean": mean, "max": high}
        steps_ms = {step: round(ms, 3) for step, ms in self.steps_ms.items()}
        saved = str(self.saved) if self.saved else None
        return {**self.prediction.to_dict(), "seen": seen, "steps_ms": steps_ms, "saved": saved}


Tried = tuple[str, Trial | CvserveError]


def trials(predictor: LoadedPredictor, pictures: Iterable[Picture], top_k: int) -> Iterator[Tried]:
    """Name and outcome of each picture, in order; one that fails does so alone."""
    for picture in pictures:
        try:
            yield picture.name, run_trial(predictor, picture.source, top_k)
        except CvserveError as error:
            yield picture.name, error


def run_trial(predictor: LoadedPredictor, source: Path | bytes, top_k: int) -> Trial:
    """Run the steps once to warm up and once with the clock.

    Raises:
        ImageError: the picture cannot be answered.
        ModelError: the model failed.
    """
    prediction = predictor.predict(source, top_k=top_k)
    begin = time.perf_counter()
    picture, _ = decode(source, predictor.want(), predictor.limits)
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
    original, _ = decode(source, Want("RGB"), predictor.limits)
    seen = predictor.model.preparation.render(array)
    return Trial(prediction, original, seen, values, array.shape, str(array.dtype), steps_ms)


def save_trials(tried: Iterable[Tried], folder: Path) -> Iterator[Tried]:
    """The same, each picture written beside what the model sees of it: `img.jpg` as `img.seen.png`.

    Raises:
        InvalidSetting: the folder cannot be made or written to.
    """
    names = set[str]()
    for name, outcome in tried:
        if isinstance(outcome, CvserveError):
            yield name, outcome
            continue
        path = folder / _free_name(Path(name).stem, names)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            side_by_side(outcome.original, outcome.seen).save(path, "PNG")
        except OSError as error:
            raise InvalidSetting(f"'{path}' cannot be written: {error.strerror}; give another folder.") from None
        yield name, replace(outcome, saved=path)


def _free_name(stem: str, names: set[str]) -> str:
    """A name that no other picture of this run has: two folders may both have an `img.jpg`."""
    name, count = f"{stem}.seen.png", 1
    while name in names:
        count += 1
        name = f"{stem}-{count}.seen.png"
    names.add(name)
    return name
