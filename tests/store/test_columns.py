"""One declaration for each column: INSERT, SELECT, JSON and CSV agree with it and with the tables."""

from dataclasses import fields
from pathlib import Path

import pytest
from sqlite_utils import Database

from cvserve.answer import MEMBERS
from cvserve.history.history import History
from cvserve.history.record import to_row
from cvserve.store.columns import ADDED_BY_TRANSACTION, COLUMNS, CSV_HEAD, GIVEN, SELECT, STEPS, WRITTEN, HistoryRow
from cvserve.store.migrations import load_migrations
from support.predictions import prediction


def test_the_columns_are_those_of_a_freshly_migrated_database() -> None:
    database = Database(memory=True)
    load_migrations()(database.conn)
    assert sorted(["id", *WRITTEN]) == sorted(column.name for column in database.table("predictions").columns)
    asked = [name for name, *_ in database.execute(f"{SELECT} LIMIT 0").description]
    assert asked == [column.name for column in COLUMNS]


def test_a_row_brings_what_the_transaction_does_not_know() -> None:
    row = to_row(prediction(), "http", file_name="a.jpg", token_id=1, request_id="r", client="127.0.0.1")
    assert set(row.values) == set(GIVEN) == set(WRITTEN) - set(ADDED_BY_TRANSACTION)
    assert set(ADDED_BY_TRANSACTION) < set(WRITTEN)


@pytest.mark.parametrize("names", [WRITTEN, CSV_HEAD, [column.name for column in COLUMNS]])
def test_no_name_stands_for_two(names: list[str]) -> None:
    assert len(set(names)) == len(names)


def test_a_csv_has_no_gaps_and_its_first_columns_stay_where_they_were() -> None:
    assert sorted(column.csv for column in COLUMNS if column.csv) == list(range(1, len(CSV_HEAD) + 1))
    assert CSV_HEAD[:18] == (
        "id", "created_at", "result", "label", "score", "model", "version", "source", "token", "client", "file_name",
        "warning", "width", "height", "format", "image_bytes", "image_sha256", "request_id",
    )  # fmt: skip


def test_the_members_of_a_row_begin_with_those_of_an_answer(home: Path) -> None:
    names = [declared.name for declared in fields(HistoryRow)]
    assert tuple(names[: len(MEMBERS)]) == MEMBERS
    with History.open() as history:
        row = history.add(prediction(), file_name="a.jpg")
    assert list(row.to_full_dict()) == names
    assert dict(zip(CSV_HEAD, row.to_csv(), strict=True))["version"] == row.model["version"]
    assert [step for step, _ in STEPS] == ["decode", "queue", "infer"]
    assert row.timing_ms == prediction().timing_ms


def test_what_is_written_is_what_is_read(home: Path) -> None:
    made = prediction("a label", 0.75, warning="no digit")
    with History.open() as history:
        row = history.add(made, source="cli", file_name="a.jpg")
    expected = made.to_dict() | {
        "id": 1, "created_at": row.created_at, "source": "cli", "token": None, "client": None, "request_id": None,
        "file_name": "a.jpg", "image_sha256": made.image.sha256, "image_bytes": made.image.bytes,
        "width": made.image.width, "height": made.image.height, "format": made.image.format,
        "device": made.model.device,
    }  # fmt: skip
    assert row.to_full_dict() == expected
