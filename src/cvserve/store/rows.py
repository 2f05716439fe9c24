"""The rows of `predictions`: what goes in, and what comes out joined with its model."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, NamedTuple

from cvserve.answer import MEMBERS, describe_model


class ModelKey(NamedTuple):
    """What identifies a row of `models`."""

    name: str
    sha256: str
    version: str
    format: str


@dataclass(slots=True)
class NewRow:
    """One prediction on its way into the database; the fields are the columns of `predictions`."""

    result: int
    label: str
    score: float
    top: str
    warning: str | None
    model: ModelKey
    decode_ms: float | None
    queue_ms: float | None
    infer_ms: float | None
    source: str
    token_id: int | None = None
    request_id: str | None = None
    client: str | None = None
    file_name: str | None = None
    image_sha256: str | None = None
    image_bytes: int | None = None
    width: int | None = None
    height: int | None = None
    format: str | None = None

    def values(self, model_id: int, created_at: str) -> tuple[Any, ...]:
        """In the order of `schema.PREDICTION_COLUMNS`."""
        return (
            self.result, self.label, self.score, self.top, self.warning, model_id, created_at,
            self.decode_ms, self.queue_ms, self.infer_ms, self.source, self.token_id, self.request_id,
            self.client, self.file_name, self.image_sha256, self.image_bytes, self.width, self.height,
            self.format,
        )  # fmt: skip


class Stored(NamedTuple):
    """What the database adds to a row.

    Attributes:
        id: from 1, never used twice.
        created_at: UTC, `2026-11-23T01:02:03.456Z`.
    """

    id: int
    created_at: str


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One prediction as it was stored.

    Attributes:
        token: name of the token that asked; None for the command line and notebooks.
        top: list of `{"index", "label", "score"}`.
    """

    id: int
    result: int
    label: str
    score: float
    top: list[dict[str, Any]]
    model: dict[str, str]
    created_at: str
    timing_ms: dict[str, float]
    warning: str | None
    source: str
    token: str | None
    request_id: str | None
    client: str | None
    file_name: str | None
    image_sha256: str | None
    image_bytes: int | None
    width: int | None
    height: int | None
    format: str | None

    def to_dict(self) -> dict[str, Any]:
        """The object of `GET /predict/{id}`: the answer to POST without `timing_ms.store`."""
        return dict(zip(MEMBERS, _get_answer(self), strict=True))

    def to_full_dict(self) -> dict[str, Any]:
        """`to_dict` and then who asked, from where, and which picture it was."""
        names = ("source", "token", "client", "request_id", "file_name", "image_sha256", "image_bytes")
        more = {name: getattr(self, name) for name in (*names, "width", "height", "format")}
        return self.to_dict() | more


_get_answer = attrgetter(*MEMBERS)
SELECT = (
    "SELECT p.id, p.result, p.label, p.score, p.top, m.name, m.version, p.created_at, p.decode_ms, p.queue_ms,"
    " p.infer_ms, p.warning, p.source, t.name, p.request_id, p.client, p.file_name, p.image_sha256,"
    " p.image_bytes, p.width, p.height, p.format"
    " FROM predictions p JOIN models m ON m.id = p.model_id LEFT JOIN tokens t ON t.id = p.token_id"
)


def history_row(values: tuple[Any, ...]) -> HistoryRow:
    """The row from what `SELECT` gives."""
    times = zip(("decode", "queue", "infer"), values[8:11], strict=True)
    timing_ms = {step: time_ms for step, time_ms in times if time_ms is not None}
    model = describe_model(values[5], values[6])
    columns = (*values[:4], json.loads(values[4]), model, values[7], timing_ms, *values[11:])
    return HistoryRow(*columns)


def timestamp(moment: datetime | None = None) -> str:
    """UTC with milliseconds, `2026-11-23T01:02:03.456Z`; default: now."""
    moment = datetime.now(UTC) if moment is None else moment.astimezone(UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
