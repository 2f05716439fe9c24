"""The one place that turns a `Prediction` into a row, for server, command line and notebook."""

from cvserve.answer import encode_top
from cvserve.predictor.prediction import Prediction
from cvserve.store.rows import ModelKey, NewRow

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
        encode_top(prediction.top),
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


def clean_file_name(name: str) -> str:
    """The last part of a name, at most 255 bytes, what cannot be shown replaced: a note, never a path."""
    last = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    shown = last
    if not last.isprintable():
        shown = "".join(character if character.isprintable() else "\ufffd" for character in last)
    return shown.encode("utf-8", "replace")[:_MAX_FILE_NAME_BYTES].decode("utf-8", "ignore")
