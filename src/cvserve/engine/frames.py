"""What is said between front and worker process: bytes with their sizes before them, nothing pickled, a batch a frame.

    to a worker     u32 count | count × (u32 top_k, u32 size) | the pictures, one after another
    to the front    u32 length | JSON: a list with one entry a picture

All numbers are big-endian. A frame without pictures is a ping; it is answered by one without entries, which is
also what a worker says first, when it is warm.
"""

import json
import struct
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from cvserve import errors
from cvserve.engine.task import Outcome, Task
from cvserve.errors import CvserveError
from cvserve.predictor.images.info import ImageInfo
from cvserve.predictor.prediction import ClassScore, ModelInfo, Prediction

LENGTH = struct.Struct("!I")
_TASK = struct.Struct("!II")
_json = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
_from_json = json.JSONDecoder().decode  # `json.loads` first looks for the encoding, which we know
# The errors that a picture can end with; their classes take one text.
_KINDS = {
    kind.__name__: kind
    for kind in (errors.InvalidImage, errors.ImageTooLarge, errors.UnsupportedImage, errors.ImageError,
                 errors.ModelError, errors.InvalidParameter)
}  # fmt: skip


class BrokenFrame(ValueError):
    """The bytes are no frame of ours: whoever sent them cannot be relied on."""


class ModelTraceback(Exception):
    """What the model's own code raised in a worker process, as text; for the log only."""


def pack_tasks(tasks: Sequence[Task]) -> list[bytes]:
    """The frame of a batch, in pieces, so that no picture is copied to make it one."""
    head = [LENGTH.pack(len(tasks)), *[_TASK.pack(task.top_k, len(task.data)) for task in tasks]]
    return [b"".join(head), *[task.data for task in tasks]]


def read_tasks(read: Callable[[int], bytes]) -> list[Task]:
    """The tasks of the next frame.

    Args:
        read: gives exactly so many bytes as soon as they are there; what it raises ends the reading.
    """
    (count,) = LENGTH.unpack(read(LENGTH.size))
    return [Task(read(size), top_k) for top_k, size in list(_TASK.iter_unpack(read(_TASK.size * count)))]


def pack_outcomes(outcomes: Sequence[Outcome]) -> bytes:
    """The frame of a batch's answers."""
    body = _json([_packed(outcome) for outcome in outcomes]).encode("ascii")
    return LENGTH.pack(len(body)) + body


def unpack_outcomes(body: bytes, info: ModelInfo) -> list[Outcome]:
    """The answers in a frame, its length already taken off.

    Args:
        body: JSON.
        info: the model that answered.

    Raises:
        BrokenFrame: it is not what `pack_outcomes` makes.
    """
    try:
        return [_unpacked(entry, info) for entry in _from_json(body.decode("ascii"))]
    except (ValueError, TypeError, KeyError) as error:
        raise BrokenFrame from error


def _packed(outcome: Outcome) -> list[Any]:
    if isinstance(outcome, CvserveError):
        cause = outcome.__cause__
        text = "".join(traceback.format_exception(cause)) if cause is not None else None
        return [type(outcome).__name__, str(outcome), text]
    image = outcome.image
    return [
        "",
        [[entry.index, entry.label, entry.score] for entry in outcome.top],
        outcome.warning,
        outcome.timing_ms["decode"],
        outcome.timing_ms["infer"],
        [image.width, image.height, image.format, image.bytes, image.sha256],
    ]


def _unpacked(entry: list[Any], info: ModelInfo) -> Outcome:
    if entry[0]:
        kind, text, trace = entry
        error = _KINDS[kind](text)
        if trace is not None:
            error.__cause__ = ModelTraceback(f"\n{trace}")
        return error
    _, scores, warning, decode_ms, infer_ms, image = entry
    top = tuple([ClassScore(*score) for score in scores])
    first = top[0]
    timing_ms = {"decode": decode_ms, "infer": infer_ms}
    return Prediction(first.index, first.label, first.score, top, info, warning, timing_ms, ImageInfo(*image))
