"""One batch through the steps of a model: decode, prepare, infer, rank. An error stays with its picture.

It is the one place where a model's own code meets others' pictures, so nothing that this code raises leaves it.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cvserve.errors import CvserveError, ImageError, ModelError
from cvserve.predictor.contract import Inferred, Prepared
from cvserve.predictor.images.decode import decode
from cvserve.predictor.images.info import ImageInfo
from cvserve.predictor.images.limits import Limits, Want
from cvserve.predictor.prediction import ClassScore, ModelInfo, Prediction
from cvserve.predictor.user_code import skip_our_frames

# So many are decoded before they are prepared: either work finds its own code and tables in the processor's caches
# when it is not interrupted by the other. Large pictures are not kept for that.
_TOGETHER = 32
_TOGETHER_PIXELS = 1024**2

Preprocess = Callable[[Image.Image], NDArray[Any] | Prepared]
Infer = Callable[[NDArray[Any]], NDArray[Any] | Inferred]
# From what `infer` gave and the number of pictures to the best classes of each, best first.
Rank = Callable[[Any, int], list[tuple[ClassScore, ...]]]


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


def decode_batch(
    images: Iterable[Any], want: Want, limits: Limits, preprocess: Preprocess
) -> list[Decoded | CvserveError]:
    """Decode and prepare pictures: for each, in order, what the model takes of it, or why there is nothing.

    Args:
        images: each a path, encoded bytes, a PIL image or an array.
        want: mode and size that the model needs.
        limits: what a picture may be.
        preprocess: the model's own step. It may raise an `ImageError` about its picture, which is the answer then;
            whatever else it raises is a `ModelError` with that as its cause.
    """
    entries: list[Decoded | CvserveError] = []
    opened: list[_Opened | CvserveError] = []
    pixels = 0
    for image in images:
        opened.append(_decode(image, want, limits))
        pixels += _count_pixels(opened[-1])
        if len(opened) == _TOGETHER or pixels >= _TOGETHER_PIXELS:
            entries += [_prepare(entry, preprocess) for entry in opened]
            opened, pixels = [], 0
    return entries + [_prepare(entry, preprocess) for entry in opened]


def _decode(image: Any, want: Want, limits: Limits) -> _Opened | CvserveError:
    begin = time.perf_counter()
    try:
        picture, info = decode(image, want, limits)
    except CvserveError as error:
        return error
    except Exception as error:  # a mistake of ours in a decoder costs this picture, not its neighbours
        return model_error("decode", error)
    return _Opened(picture, info, time.perf_counter() - begin)


def _prepare(opened: _Opened | CvserveError, preprocess: Preprocess) -> Decoded | CvserveError:
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
    except (Exception, SystemExit) as error:  # the model's own code, which may raise any class, also ours
        return model_error("preprocess", error)


def _count_pixels(opened: _Opened | CvserveError) -> int:
    if isinstance(opened, CvserveError):
        return 0
    width, height = opened.picture.size
    return width * height


def infer_batch(
    entries: Sequence[Decoded], infer: Infer, rank: Rank, model: ModelInfo
) -> list[Prediction | ModelError]:
    """Run the model: for each picture, in order, its answer, or why there is none.

    One picture may upset the whole batch. Then each is asked about alone, so that the error stays with its picture.
    This is the one place that does so: whoever calls it need not ask again.

    Args:
        entries: pictures of one shape.
        infer: the model's own step; whatever it raises is a `ModelError` with that as its cause.
        rank: reads its answer; a `ModelError` of it stays as it is.
        model: that answers.
    """
    if not entries:
        return []
    begin = time.perf_counter()
    failure: ModelError
    try:
        answer = infer(_stack(entries))
    except (Exception, SystemExit) as error:  # the model's own code, which may raise any class, also ours
        failure = model_error("infer", error)
    else:
        try:
            scores, warnings = answer if isinstance(answer, Inferred) else (answer, [None] * len(entries))
            tops = rank(scores, len(entries))
            if len(warnings) != len(entries):
                raise ModelError(f"The model gave {len(warnings)} warnings for {len(entries)} pictures.")
            infer_ms = ms_since(begin)
            return [_predict(*parts, model, infer_ms) for parts in zip(tops, entries, warnings, strict=True)]
        except ModelError as error:
            failure = error
        except Exception as error:  # labels or warnings of a kind that nobody thought of
            failure = model_error("infer", error)
    if len(entries) == 1:
        return [failure]
    return [outcome for entry in entries for outcome in infer_batch([entry], infer, rank, model)]


def _predict(
    top: tuple[ClassScore, ...], entry: Decoded, warning: str | None, model: ModelInfo, infer_ms: float
) -> Prediction:
    """The answer for one picture, whose warning at the preparation comes before the model's.

    Raises:
        ModelError: the warning, which a user's code may have made of anything, is no text.
    """
    timing_ms = {"decode": entry.decode_ms, "infer": infer_ms}
    warning = entry.warning or warning
    if warning is not None and not isinstance(warning, str):
        raise ModelError("The model gave a warning that is no text.")
    return Prediction(top[0].index, top[0].label, top[0].score, top, model, warning, timing_ms, entry.info)


def _stack(entries: Sequence[Decoded]) -> NDArray[Any]:
    """The arrays as one batch, which the model may write to."""
    if len(entries) == 1:  # an idle server's case, and `np.stack` makes a dozen calls of it
        return entries[0].array[None].copy()
    return np.stack([entry.array for entry in entries])


def keep_sources(
    outcomes: Sequence[Prediction | CvserveError], images: Iterable[Any]
) -> list[Prediction | CvserveError]:
    """The same outcomes, in which each answer remembers its picture."""
    return [
        replace(outcome, source=image) if isinstance(outcome, Prediction) else outcome
        for outcome, image in zip(outcomes, images, strict=True)
    ]


def mark_unknown(
    outcomes: Sequence[Prediction | CvserveError], unknown_below: float
) -> list[Prediction | CvserveError]:
    """The same outcomes, with a warning in each answer of which the best score is too low; one that is there stays.

    Args:
        outcomes: of a batch.
        unknown_below: the least score of a picture of the model's kind, 0…1.
    """
    return [
        replace(outcome, warning=outcome.warning or _describe_unknown(outcome.score, unknown_below))
        if isinstance(outcome, Prediction) and outcome.score < unknown_below
        else outcome
        for outcome in outcomes
    ]


def _describe_unknown(score: float, unknown_below: float) -> str:
    return f"The best score is {score:.3g}, under {unknown_below:g}: the picture may be of no class that is known."


def ms_since(begin: float) -> float:
    """Milliseconds since a value of `time.perf_counter()`."""
    return round((time.perf_counter() - begin) * 1000, 3)


def model_error(step: str, cause: BaseException) -> ModelError:
    """The error for code of the model that raised; its own words go to the log only.

    Args:
        step: of the model, e.g. `infer`.
        cause: what it raised.
    """
    error = ModelError(f"The model failed in its step '{step}'; the server's own log has the reason.")
    error.__cause__ = cause.with_traceback(skip_our_frames(cause.__traceback__))
    return error
