"""The messages between front and worker process: bytes with their sizes before them, nothing pickled, a batch a frame.

    to a worker     u32 count | count × (u32 top_k, u32 size) | the pictures, one after another
    to the front    u32 length | JSON: a list with one entry a picture

All numbers are big-endian. A frame without pictures is a ping; it is answered by one without entries, which is
also what a worker says first, when it is warm. An entry is a list that begins with an empty text if it is an
answer, and with the name of its class if it is an error.
"""

import json
import struct
import traceback
from collections.abc import Callable, Sequence
from dataclasses import fields
from itertools import starmap
from operator import attrgetter
from typing import Any

from cvserve import errors
from cvserve.engine.task import Outcome, Task
from cvserve.errors import CvserveError, ModelError
from cvserve.predictor.images.info import ImageInfo
from cvserve.predictor.prediction import ClassScore, ModelInfo, Prediction

LENGTH = struct.Struct("!I")
_TASK = struct.Struct("!II")
_json = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
_from_json = json.JSONDecoder().decode  # `json.loads` first looks for the encoding, which we know
# What the encoder raises: an unknown type, an impossible value, a list that holds itself.
_UNPACKABLE = (TypeError, ValueError, RecursionError)
# The whole tree: whatever error a worker answers with, the front can make it again.
_ERRORS = {
    kind.__name__: kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, CvserveError)
}
# Of an answer cross its classes, what is known of its picture, its warning and its times. Result, label and score are
# those of the best class, and the front knows the model. The members of a class and of a picture are their fields.
_pick_class = attrgetter(*[field.name for field in fields(ClassScore)])
_pick_image = attrgetter(*[field.name for field in fields(ImageInfo)])


class BrokenFrame(ValueError):
    """The bytes are no frame of ours: whoever sent them cannot be relied on."""


class ModelTraceback(Exception):
    """What the model's own code raised in a worker process, as text; for the log only."""


def pack_tasks(tasks: Sequence[Task]) -> list[bytes]:
    """Make the frame of a batch: in pieces, so that no picture is copied to join them."""
    head = [LENGTH.pack(len(tasks)), *[_TASK.pack(task.top_k, len(task.data)) for task in tasks]]
    return [b"".join(head), *[task.data for task in tasks]]


def read_tasks(read: Callable[[int], bytes]) -> list[Task]:
    """Read the tasks of the next frame.

    Args:
        read: gives exactly so many bytes as soon as they are there; what it raises ends the reading.
    """
    (count,) = LENGTH.unpack(read(LENGTH.size))
    return [Task(read(size), top_k) for top_k, size in list(_TASK.iter_unpack(read(_TASK.size * count)))]


def pack_outcomes(outcomes: Sequence[Outcome]) -> bytes:
    """Make the frame of a batch's answers; one that JSON cannot say is a `ModelError`."""
    try:
        text = _json([_pack_outcome(outcome) for outcome in outcomes])
    except _UNPACKABLE:
        text = _json([_pack_or_fail(outcome) for outcome in outcomes])
    body = text.encode("ascii")
    return LENGTH.pack(len(body)) + body


def unpack_outcomes(body: bytes, info: ModelInfo) -> list[Outcome]:
    """Read the answers in a frame, its length already taken off.

    Args:
        body: JSON.
        info: the model that answered.

    Raises:
        BrokenFrame: it is not what `pack_outcomes` makes.
    """
    try:
        return [_unpack_outcome(entry, info) for entry in _from_json(body.decode("ascii"))]
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise BrokenFrame from error


def pack_error(error: CvserveError) -> list[Any]:
    """Take an error apart: class, text, and those of its attributes that are text, number, truth value or None.

    A user's subclass becomes the nearest class of ours. What else a user's code keeps on an error (a path, an array)
    is left behind: JSON cannot say it, and the error itself must come through.
    """
    name = next(kind.__name__ for kind in type(error).__mro__ if _ERRORS.get(kind.__name__) is kind)
    attributes = {
        key: value
        for key, value in vars(error).items()
        if not key.startswith("_") and (value is None or isinstance(value, (str, int, float)))
    }
    return [name, str(error), attributes]


def unpack_error(name: str, text: str, attributes: dict[str, Any]) -> CvserveError:
    """Make the error that `pack_error` took apart, without its constructor: some of them take more than a text."""
    kind = _ERRORS[name]
    error = kind.__new__(kind, text)
    vars(error).update(attributes)
    return error


def _pack_outcome(outcome: Outcome) -> list[Any]:
    if isinstance(outcome, CvserveError):
        cause = outcome.__cause__
        trace = "".join(traceback.format_exception(cause)) if cause is not None else None
        return [*pack_error(outcome), trace]
    top = list(map(_pick_class, outcome.top))
    return ["", top, _pick_image(outcome.image), outcome.warning, outcome.timing_ms]


def _pack_or_fail(outcome: Outcome) -> list[Any]:
    """Make the entry of an outcome, or of a `ModelError` when it cannot be sent."""
    try:
        entry = _pack_outcome(outcome)
        _json(entry)
    except _UNPACKABLE as error:
        failure = ModelError(
            "The model gave something that is neither number nor text; the server's own log has the reason."
        )
        failure.__cause__ = error
        return _pack_outcome(failure)
    return entry


def _unpack_outcome(entry: list[Any], info: ModelInfo) -> Outcome:
    if entry[0]:
        *error, trace = entry
        outcome = unpack_error(*error)
        if trace is not None:
            outcome.__cause__ = ModelTraceback(f"\n{trace}")
        return outcome
    _, classes, image, warning, timing_ms = entry
    top = tuple(starmap(ClassScore, classes))
    best = top[0]
    return Prediction(best.index, best.label, best.score, top, info, warning, timing_ms, ImageInfo(*image))
