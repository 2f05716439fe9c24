"""The tables as dated history."""

from pathlib import Path

from sqlite_utils import Database

from cvserve.history.history import History
from cvserve.store.migrations import MIGRATION_SET, list_migrations, load_migrations

FIRST_COLUMNS = [
    "id", "result", "label", "score", "top", "warning", "model_id", "created_at", "decode_ms", "queue_ms", "infer_ms",
    "source", "token_id", "request_id", "client", "file_name", "image_sha256", "image_bytes", "width", "height",
    "format",
]  # fmt: skip


def test_the_list_of_names_is_the_list_of_steps() -> None:
    database = Database(memory=True)
    load_migrations()(database.conn)
    assert tuple(row["name"] for row in database["_sqlite_migrations"].rows) == list_migrations()
    assert list_migrations()[:2] == ("m001_predictions_models_tokens", "m002_loadtests")  # released names never change
    assert {row["migration_set"] for row in database["_sqlite_migrations"].rows} == {MIGRATION_SET}


def test_the_columns_and_indexes_are_those_of_the_design(home: Path) -> None:
    with History.open(home) as history:
        tables = set(history.db.table_names())
        assert {"predictions", "models", "tokens"} <= tables
        columns = [column.name for column in history.db.table("predictions").columns]
        assert columns[: len(FIRST_COLUMNS)] == FIRST_COLUMNS  # a released migration never changes; new ones add behind
        indexed = {tuple(index.columns) for index in history.db.table("predictions").indexes}
        assert indexed == {("label",), ("token_id",), ("model_id",)}
        keys = {key.column: key.other_table for key in history.db.table("predictions").foreign_keys}
        assert keys == {"model_id": "models", "token_id": "tokens"}


def test_opening_again_changes_nothing(home: Path) -> None:
    History.open(home).close()
    before = (home / "cvserve.db").read_bytes()
    History.open(home).close()
    assert (home / "cvserve.db").read_bytes() == before
