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
        """The members of an answer, then `seen`, `steps_ms` and `saved`, for JSON."""
        low, mean, high = self.values
        seen = {"shape": list(self.shape), "dtype": self.dtype, "min": low, "mean": mean, "max": high}
        steps_ms = {step: round(ms, 3) for step, ms in self.steps_ms.items()}
        saved = str(self.saved) if self.saved else None
        return {**self.prediction.to_dict(), "seen": seen, "steps_ms": steps_ms, "saved": saved}


NamedTrial = tuple[str, Trial | CvserveError]


def try_pictures(predictor: LoadedPredictor, pictures: Iterable[Picture], top_k: int) -> Iterator[NamedTrial]:
    """Run each picture through the steps of the model; one that fails does so alone.

    Args:
        predictor: the model, with the limits of pictures that `serve` would have.
        pictures: read one after the other, each when it is its turn.
        top_k: how many classes an answer has.

    Yields:
        Name of the picture, and what happened to it or why there is no answer.
    """
    for picture in pictures:
        try:
            yield picture.name, run_trial(predictor, picture.source, top_k)
        except CvserveError as error:
            yield picture.name, error


def run_trial(predictor: LoadedPredictor, source: Path | bytes, top_k: int) -> Trial:
    """Run the steps on one picture, once to warm up and once with the clock.

    Args:
        predictor: the model.
        source: path or bytes of the picture.
        top_k: how many classes the answer has.

    Raises:
        ImageError: the picture cannot be answered.
        ModelError: the model failed.
    """
    prediction = predictor.predict(source, top_k=top_k)
    begin = time.perf_counter()
    picture, _ = decode(source, predictor.want(), predictor.limits)
    decoded_at = time.perf_counter()
    prepared = predictor.preprocess(picture)
    array = np.asarray(prepared.array if isinstance(prepared, Prepared) else prepared)
    prepared_at = time.perf_counter()
    predictor.infer(array[None])
    inferred_at = time.perf_counter()
    steps_ms = {
        "decode": (decoded_at - begin) * 1000,
        "prepare": (prepared_at - decoded_at) * 1000,
        "infer": (inferred_at - prepared_at) * 1000,
    }
    values = (float(array.min()), float(array.mean()), float(array.max()))
    original, _ = decode(source, Want("RGB"), predictor.limits)
    seen = predictor.model.preparation.render(array)
    return Trial(prediction, original, seen, values, array.shape, str(array.dtype), steps_ms)


def save_trials(trials: Iterable[NamedTrial], folder: Path) -> Iterator[NamedTrial]:
    """Write each picture beside what the model sees of it, as PNG: `img.jpg` as `img.seen.png`.

    Args:
        trials: names and outcomes.
        folder: made when it is not there.

    Yields:
        What came in, each trial with the place where it was saved.

    Raises:
        InvalidSetting: the folder cannot be made or written to.
    """
    names = set[str]()
    for name, outcome in trials:
        if isinstance(outcome, CvserveError):
            yield name, outcome
            continue
        path = folder / _choose_name(Path(name).stem, names)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            side_by_side(outcome.original, outcome.seen).save(path, "PNG")
        except OSError as error:
            raise InvalidSetting(f"'{path}' cannot be written: {error.strerror}; give another folder.") from None
        yield name, replace(outcome, saved=path)


def _choose_name(stem: str, names: set[str]) -> str:
    """A name that no other picture of this run has: two folders may both have an `img.jpg`."""
    name, count = f"{stem}.seen.png", 1
    while name in names:
        count += 1
        name = f"{stem}-{count}.seen.png"
    names.add(name)
    return name
