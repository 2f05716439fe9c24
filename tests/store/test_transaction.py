"""Writing: all or none, the lock taken at once, ids that never come again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cvserve.errors import HistoryUnavailable
from cvserve.history.history import History
from cvserve.store.database import connect
from cvserve.store.rows import ModelKey
from cvserve.store.sqlite import sqlite3, translate_errors
from cvserve.store.transaction import insert_rows
from support.rows import MODEL, row


@pytest.fixture
def connection(home: Path) -> Iterator[sqlite3.Connection]:
    History.open(home).close()
    made = connect(home / "cvserve.db")
    yield made
    made.close()


def test_ids_ascend_in_order_and_never_come_again(connection: sqlite3.Connection) -> None:
    assert [stored.id for stored in insert_rows(connection, [row(), row()], {})] == [1, 2]
    connection.execute("DELETE FROM predictions")
    assert [stored.id for stored in insert_rows(connection, [row()], {})] == [3]


@pytest.mark.parametrize("count", [1, 3, 4, 5, 15, 16, 17, 23, 64, 1_030])
def test_each_row_of_a_group_gets_the_id_that_is_answered_for_it(connection: sqlite3.Connection, count: int) -> None:
    insert_rows(connection, [row()], {})
    connection.execute("DELETE FROM predictions")
    other = MODEL._replace(name="other")
    rows = [row(label=str(number), model=other if number % 3 else MODEL) for number in range(count)]
    stored = insert_rows(connection, rows, {})
    assert [entry.id for entry in stored] == list(range(2, count + 2))
    found = connection.execute(
        "SELECT p.id, p.label, m.name FROM predictions p JOIN models m ON m.id = p.model_id ORDER BY p.id"
    ).fetchall()
    expected = zip(stored, rows, strict=True)
    assert found == [(entry.id, made.values["label"], made.model.name) for entry, made in expected]


@pytest.mark.parametrize("bad", [0, 15, 16, 20])
def test_one_bad_row_of_a_large_group_keeps_all_out(connection: sqlite3.Connection, bad: int) -> None:
    rows = [row(label=None if number == bad else "x") for number in range(21)]
    with pytest.raises(sqlite3.IntegrityError):
        insert_rows(connection, rows, {})
    assert connection.execute("SELECT count(*) FROM predictions").fetchone() == (0,)


def test_all_rows_are_stored_or_none(connection: sqlite3.Connection) -> None:
    cache: dict[ModelKey, int] = {}
    with pytest.raises(sqlite3.IntegrityError):
        insert_rows(connection, [row(), row(label=None)], cache)
    assert connection.execute("SELECT count(*) FROM predictions").fetchone() == (0,)
    assert connection.execute("SELECT count(*) FROM models").fetchone() == (0,)
    assert not connection.in_transaction
    assert [stored.id for stored in insert_rows(connection, [row()], cache)] == [1]


def test_the_write_lock_is_taken_before_anything_is_read(connection: sqlite3.Connection) -> None:
    said: list[str] = []
    connection.set_trace_callback(said.append)
    insert_rows(connection, [row()], {})
    connection.set_trace_callback(None)
    assert said[0] == "BEGIN IMMEDIATE"
    assert said.count("COMMIT") == 1


def test_a_model_is_looked_up_once_for_each_cache(connection: sqlite3.Connection) -> None:
    cache: dict[ModelKey, int] = {}
    counts = []
    for _ in range(2):
        statements: list[str] = []
        connection.set_trace_callback(statements.append)
        insert_rows(connection, [row()], cache)
        counts.append(sum("INTO models" in statement for statement in statements))
    connection.set_trace_callback(None)
    assert counts == [1, 0]
    insert_rows(connection, [row(model=MODEL._replace(name="other"))], cache)
    found = connection.execute(
        "SELECT p.id, m.name FROM predictions p JOIN models m ON m.id = p.model_id ORDER BY p.id"
    )
    assert found.fetchall() == [(1, "m"), (2, "m"), (3, "other")]


def test_a_locked_database_is_said_in_our_words(home: Path, connection: sqlite3.Connection) -> None:
    other = connect(home / "cvserve.db")
    other.execute("BEGIN IMMEDIATE")
    connection.execute("PRAGMA busy_timeout = 0")
    with pytest.raises(HistoryUnavailable, match="locked by another program"), translate_errors():
        insert_rows(connection, [row()], {})
    other.execute("ROLLBACK")
    other.close()
    assert insert_rows(connection, [row()], {})[0].id == 1


def test_a_full_disk_is_said_in_our_words_and_loses_nothing(connection: sqlite3.Connection) -> None:
    from cvserve.errors import StorageFull

    insert_rows(connection, [row()], {})
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StorageFull, match="no space"), translate_errors():
        [insert_rows(connection, [row(label="x" * 1_000)] * 10, {}) for _ in range(100)]
    connection.execute("PRAGMA max_page_count = 1000000")
    kept = connection.execute("SELECT count(*) FROM predictions").fetchone()[0]
    assert kept % 10 == 1
    assert insert_rows(connection, [row()], {})[0].id == kept + 1
