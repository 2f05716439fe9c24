"""The one place that turns a `Prediction` into a row, for server, command line and notebook."""

from functools import lru_cache

from cvserve.answer import encode_top
from cvserve.predictor.prediction import ModelInfo, Prediction
from cvserve.store.rows import ModelKey, NewRow
from cvserve.texts import replace_unprintable

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
    """The row that stores a prediction: its answer, what it took, who asked and which picture it was.

    Args:
        prediction: what the model said.
        source: one of `store.sources.SOURCES`.
        file_name: as the sender called the picture; only its cleaned last part is kept.
        token_id: who asked.
        request_id: in which request.
        client: from which address.

    Raises:
        ValueError: a score is NaN or infinite.
    """
    image, times = prediction.image, prediction.timing_ms
    return NewRow(
        _find_key(prediction.model),
        {
            "result": prediction.result,
            "label": prediction.label,
            "score": prediction.score,
            "top": encode_top(prediction.top),
            "warning": prediction.warning,
            "decode_ms": times.get("decode"),
            "queue_ms": times.get("queue"),
            "infer_ms": times.get("infer"),
            "source": source,
            "token_id": token_id,
            "request_id": request_id,
            "client": client,
            "file_name": clean_file_name(file_name) if file_name else None,
            "image_sha256": image.sha256 or None,
            "image_bytes": image.bytes or None,
            "width": image.width,
            "height": image.height,
            "format": image.format,
            "device": prediction.model.device,
        },
    )


@lru_cache(maxsize=16)
def _find_key(model: ModelInfo) -> ModelKey:
    return ModelKey(model.name, model.sha256, model.version, model.format)


def clean_file_name(name: str) -> str:
    """The last part of a name, at most 255 bytes, what cannot be shown replaced: a note, never a path."""
    last = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    return replace_unprintable(last).encode("utf-8", "replace")[:_MAX_FILE_NAME_BYTES].decode("utf-8", "ignore")
