"""The one place that turns a `Prediction` into a row, for server, command line and notebook."""

import json
from functools import lru_cache
from math import isfinite

from cvserve.predictor.prediction import Prediction
from cvserve.store.rows import ModelKey, NewRow
from cvserve.texts import replace_unprintable

# An answer and its row are written alike.
encode_json = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode
# A model has few labels, and each answer has some of them.
encode_label = lru_cache(maxsize=1024)(encode_json)
_MAX_FILE_NAME_BYTES = 255


def to_row(
    prediction: Prediction,
    source: str,
    *,
    file_name: str | None = None,
    token_id: int | None = None,
    request_id: str | None = None,
    client: str | None = None,
) -> NewRow:
    """The row of a prediction.

    Args:
        prediction: what the model said.
        source: one of `store.schema.SOURCES`.
        file_name: as the sender called the picture; only its cleaned last part is kept.
        token_id: who asked.
        request_id: in which request.
        client: from which address.
    """
    image, times = prediction.image, prediction.timing_ms
    return NewRow(
        prediction.result,
        prediction.label,
        prediction.score,
        _top_json(prediction),
        prediction.warning,
        ModelKey(prediction.model.name, prediction.model.sha256, prediction.model.version, prediction.model.format),
        times.get("decode"),
        times.get("queue"),
        times.get("infer"),
        source,
        token_id,
        request_id,
        client,
        clean_file_name(file_name) if file_name else None,
        image.sha256 or None,
        image.bytes or None,
        image.width,
        image.height,
        image.format,
    )


def _top_json(prediction: Prediction) -> str:
    """What `encode_json` makes of the entries' `to_dict`, in less than half its time: once in every request."""
    top = prediction.top
    if not isfinite(sum([entry.score for entry in top])):
        raise ValueError("a score that is not a finite number cannot be JSON")
    entries = [f'{{"index":{entry.index},"label":{encode_label(entry.label)},"score":{entry.score}}}' for entry in top]
    return f"[{','.join(entries)}]"


def clean_file_name(name: str) -> str:
    """The last part of a name, at most 255 bytes, what cannot be shown replaced: a note, never a path."""
    last = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    return replace_unprintable(last).encode("utf-8", "replace")[:_MAX_FILE_NAME_BYTES].decode("utf-8", "ignore")
