"""Pictures on their way to the model: decoded, prepared, timed; whatever is wrong with one stays its own."""

import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cvserve.errors import CvserveError, ImageError, ModelError
from cvserve.predictor.contract import Prepared
from cvserve.predictor.images.decode import decode
from cvserve.predictor.images.info import ImageInfo
from cvserve.predictor.images.limits import Limits, Want
from cvserve.predictor.prediction import ClassScore, ModelInfo, Prediction
from cvserve.predictor.user_code import without_ours

# So many are decoded before they are prepared: either work finds its own code and tables in the processor's caches
# when it is not interrupted by the other. Large pictures are not kept for that.
_TOGETHER = 32
_TOGETHER_PIXELS = 1024**2

Preprocess = Callable[[Image.Image], NDArray[Any] | Prepared]


class Decoded(NamedTuple):
    """What the model takes of one picture.

    Attributes:
        array: without the batch dimension.
        warning: of the preparation, or None.
        info: what was sent.
        decode_ms: milliseconds for decoding and preparation.
    """

    array: NDArray[Any]
    warning: str | None
    info: ImageInfo
    decode_ms: float


class _Opened(NamedTuple):
    """A picture that is decoded and not prepared yet."""

    picture: Image.Image
    info: ImageInfo
    opened_s: float


def decoded(images: Iterable[Any], want: Want, limits: Limits, preprocess: Preprocess) -> list[Decoded | CvserveError]:
    """Decode and prepare pictures: each, in order, or why not."""
    entries: list[Decoded | CvserveError] = []
    opened: list[_Opened | CvserveError] = []
    pixels = 0
    for image in images:
        opened.append(_opened(image, want, limits))
        pixels += _pixels(opened[-1])
        if len(opened) == _TOGETHER or pixels >= _TOGETHER_PIXELS:
            entries += [_prepared(entry, preprocess) for entry in opened]
            opened, pixels = [], 0
    return entries + [_prepared(entry, preprocess) for entry in opened]


def _opened(image: Any, want: Want, limits: Limits) -> _Opened | CvserveError:
    begin = time.perf_counter()
    try:
        picture, info = decode(image, want, limits)
    except CvserveError as error:
        return error
    return _Opened(picture, info, time.perf_counter() - begin)


def _prepared(opened: _Opened | CvserveError, preprocess: Preprocess) -> Decoded | CvserveError:
    if isinstance(opened, CvserveError):
        return opened
    picture, info, opened_s = opened
    begin = time.perf_counter() - opened_s
    try:
        prepared = preprocess(picture)
        array, warning = prepared if isinstance(prepared, Prepared) else (prepared, None)
        return Decoded(np.asarray(array), warning, info, ms_since(begin))
    except ImageError as error:
        return error
    except (Exception, SystemExit) as error:  # the model's own code; its text stays out of answers
        return model_error("preprocess", error)


def _pixels(opened: _Opened | CvserveError) -> int:
    if isinstance(opened, CvserveError):
        return 0
    width, height = opened.picture.size
    return width * height


def answer(
    top: tuple[ClassScore, ...], entry: Decoded, warning: str | None, model: ModelInfo, infer_ms: float
) -> Prediction:
    """The answer for one picture.

    Args:
        top: its best classes, best first.
        entry: the picture; its own warning comes before the model's.
        warning: of the model, or None.
        model: that answered.
        infer_ms: milliseconds of the batch.
    """
    timing_ms = {"decode": entry.decode_ms, "infer": infer_ms}
    warning = entry.warning or warning
    return Prediction(top[0].index, top[0].label, top[0].score, top, model, warning, timing_ms, entry.info)


def ms_since(begin: float) -> float:
    """Milliseconds since a value of `time.perf_counter()`."""
    return round((time.perf_counter() - begin) * 1000, 3)


def model_error(step: str, cause: BaseException) -> ModelError:
    """The error for code of the model that raised; its own words go to the log only."""
    error = ModelError(f"The model failed in its step '{step}'; the server's own log has the reason.")
    error.__cause__ = cause.with_traceback(without_ours(cause.__traceback__))
    return error
