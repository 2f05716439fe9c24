"""What is stored of a prediction, declared once: `HistoryRow` and the columns that it is read from and written to.

INSERT, SELECT, JSON and CSV are made from these declarations. A new column is a field here, a migration that adds it to
the table, and its value in `history/record.py`.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from operator import attrgetter, itemgetter
from typing import Any

from cvserve.answer import MEMBERS, describe_model


@dataclass(frozen=True, slots=True)
class Column:
    """One value of a stored prediction.

    Attributes:
        name: under which it is read, and in the head of a CSV; by default the name of the field that declares it.
        sql: what SELECT asks for: `p` is the prediction, `m` its model, `t` its token; default: `p.` and the name.
        written_as: its column in the table `predictions`, by default its name; None: INSERT does not fill it from a
            row.
        csv: its place in a CSV, from 1; None: not there. Programs count on the places: a new column is the last.
    """

    name: str = ""
    sql: str = ""
    written_as: str | None = ""
    csv: int | None = None


def _column(sql: str = "", written_as: str | None = "", csv: int | None = None) -> Any:
    """A field that is one column."""
    return _columns(Column("", sql, written_as, csv))


def _columns(*columns: Column) -> Any:
    """A field that is put together from several columns."""
    return field(metadata={"columns": columns})


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One prediction as it was stored; its fields are the members of its JSON, in their order.

    Attributes:
        id: from 1, never used twice.
        result: class index, from 0.
        label: name of the class.
        score: probability, 0…1.
        top: the best classes, best first, each `{"index", "label", "score"}`.
        model: `{"name", "version"}`.
        created_at: UTC, `2026-11-23T01:02:03.456Z`.
        timing_ms: milliseconds of each step that was timed.
        warning: why the model doubts the picture, or None.
        source: one of `sources.SOURCES`.
        token: name of the token that asked; None for the command line and notebooks.
        client: address of who asked.
        request_id: in which request.
        file_name: as the sender called the picture, cleaned.
        image_sha256, image_bytes: of the picture as it was sent; None for an image in memory.
        width, height: in pixels, as it stands upright.
        format: `JPEG`, `PNG`, …
        device: on which the model computed: `cpu`, `cuda:0`, …; None in rows from before it was kept.
    """

    id: int = _column(written_as=None, csv=1)
    result: int = _column(csv=3)
    label: str = _column(csv=4)
    score: float = _column(csv=5)
    top: list[dict[str, Any]] = _column()
    model: dict[str, str] = _columns(
        Column("model", sql="m.name", written_as="model_id", csv=6),
        Column("version", sql="m.version", written_as=None, csv=7),
    )
    created_at: str = _column(csv=2)
    timing_ms: dict[str, float] = _columns(Column("decode_ms"), Column("queue_ms"), Column("infer_ms"))
    warning: str | None = _column(csv=12)
    source: str = _column(csv=8)
    token: str | None = _column(sql="t.name", written_as="token_id", csv=9)
    client: str | None = _column(csv=10)
    request_id: str | None = _column(csv=18)
    file_name: str | None = _column(csv=11)
    image_sha256: str | None = _column(csv=17)
    image_bytes: int | None = _column(csv=16)
    width: int | None = _column(csv=13)
    height: int | None = _column(csv=14)
    format: str | None = _column(csv=15)
    device: str | None = _column(csv=19)

    def to_dict(self) -> dict[str, Any]:
        """The object of `GET /predict/{id}`: the answer to POST without `timing_ms.store`."""
        return dict(zip(MEMBERS, _get_answer(self)))  # noqa: B905 - one is made of the other; to check takes a quarter more

    def to_full_dict(self) -> dict[str, Any]:
        """`to_dict` and then who asked, from where, and which picture it was."""
        return self.to_dict() | {name: getattr(self, name) for name in _DETAILS}

    def to_csv(self) -> list[Any]:
        """Its cells under `CSV_HEAD`."""
        flat = self.to_full_dict() | {"model": self.model["name"], "version": self.model["version"]}
        return [flat[name] for name in CSV_HEAD]


def _list_columns() -> Iterator[Column]:
    """All that `HistoryRow` declares, what follows from a field's name filled in."""
    for declared in fields(HistoryRow):
        for column in declared.metadata["columns"]:
            name = column.name or declared.name
            written_as = name if column.written_as == "" else column.written_as
            yield replace(column, name=name, sql=column.sql or f"p.{name}", written_as=written_as)


COLUMNS = tuple(_list_columns())
# What INSERT fills. All but these two come with a row; the transaction knows the model's id and the time.
WRITTEN = tuple(column.written_as for column in COLUMNS if column.written_as is not None)
ADDED_BY_TRANSACTION = ("model_id", "created_at")
GIVEN = tuple(name for name in WRITTEN if name not in ADDED_BY_TRANSACTION)
# Steps, and the columns of their milliseconds.
STEPS = tuple((column.name.removesuffix("_ms"), column.name) for column in COLUMNS if column.name.endswith("_ms"))
CSV_HEAD = tuple(
    column.name for column in sorted(COLUMNS, key=lambda column: column.csv or 0) if column.csv is not None
)
SELECT = (
    f"SELECT {', '.join(f'{column.sql} AS {column.name}' for column in COLUMNS)}"
    " FROM predictions p JOIN models m ON m.id = p.model_id LEFT JOIN tokens t ON t.id = p.token_id"
)


def _write_json_sql() -> str:
    """SQL for the text of `HistoryRow.to_dict` as JSON.

    SQLite writes a thousand rows in one call and without the interpreter's lock, so that a list that somebody reads
    takes no time from the event loop.
    """
    quoted = {column.name: f"json_quote({column.sql})" for column in COLUMNS}
    times = "||".join(
        f"""CASE WHEN p.{name} IS NULL THEN '' ELSE ',"{step}":'||json_quote(p.{name}) END""" for step, name in STEPS
    )
    special = {
        "top": "CASE WHEN json_valid(p.top) THEN p.top ELSE '[]' END",
        "model": f"""'{{"name":'||{quoted["model"]}||',"version":'||{quoted["version"]}||'}}'""",
        "timing_ms": f"'{{'||substr({times}, 2)||'}}'",
    }
    members = [f"""'"{name}":'||{special.get(name) or quoted[name]}""" for name in MEMBERS]
    return "'{'||" + "||','||".join(members) + "||'}'"


JSON_SQL = _write_json_sql()
_FIELDS = tuple(declared.name for declared in fields(HistoryRow))
_DETAILS = tuple(name for name in _FIELDS if name not in MEMBERS)
_get_answer = attrgetter(*MEMBERS)
# Names become places here and not in `read_row`: a list of 1,000 rows would look for each name 1,000 times.
_PLACES = {column.name: place for place, column in enumerate(COLUMNS)}
_TOP, _MODEL, _VERSION = _PLACES["top"], _PLACES["model"], _PLACES["version"]
_STEP_PLACES = tuple((step, _PLACES[name]) for step, name in STEPS)
# `timing_ms` has no column of its own; as `top` and `model`, it is put in afterwards.
_get_values = itemgetter(*[_PLACES.get(name, 0) for name in _FIELDS])
_TOP_FIELD, _MODEL_FIELD, _TIMING_FIELD = (_FIELDS.index(name) for name in ("top", "model", "timing_ms"))
_read_json = json.JSONDecoder().decode  # `json.loads` first looks whether it has text


def read_row(values: Sequence[Any]) -> HistoryRow:
    """The row from what `SELECT` gives, whose order is that of `COLUMNS`."""
    made = list(_get_values(values))
    made[_TOP_FIELD] = _read_json(values[_TOP])
    made[_MODEL_FIELD] = describe_model(values[_MODEL], values[_VERSION])
    made[_TIMING_FIELD] = {step: values[place] for step, place in _STEP_PLACES if values[place] is not None}
    return HistoryRow(*made)
