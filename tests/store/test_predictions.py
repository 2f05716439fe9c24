"""Reading predictions: filters and bisection against brute force, pages, counts, a writer beside a reader."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cvserve.history.history import History
from cvserve.store.database import connect
from cvserve.store.predictions import PAGE, PredictionReader, Query
from cvserve.store.rows import ModelKey, NewRow
from cvserve.store.sqlite import sqlite3
from cvserve.store.tokens import TokenStore
from cvserve.store.transaction import insert_rows
from support.rows import row as make_row

MODELS = (ModelKey("a", "1" * 64, "1" * 12, "x"), ModelKey("b", "2" * 64, "2" * 12, "x"))


def row(label: str = "x", score: float = 0.5, model: ModelKey = MODELS[0], **more: object) -> NewRow:
    return make_row(model, label=label, score=score, **more)


def stamp(second: int) -> str:
    return f"2026-01-01T00:{second // 60:02}:{second % 60:02}.000Z"


ENTRIES = st.lists(
    st.tuples(
        st.integers(0, 5),  # seconds since the row before
        st.integers(1, 4),  # ids since the row before: rows may have been deleted
        st.sampled_from(["x", "y"]),
        st.sampled_from([0.1, 0.5, 0.9]),
        st.sampled_from(["cli", "http", "loadtest"]),
        st.sampled_from([0, 1]),
    ),
    max_size=30,
)
MOMENTS = st.none() | st.integers(-1, 160)


def bound(second: int | None) -> str | None:
    """For `since` and `until`; -1: before all rows."""
    return None if second is None else stamp(second) if second >= 0 else "2025-12-31T23:59:59.000Z"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    entries=ENTRIES,
    since=MOMENTS,
    until=MOMENTS,
    label=st.sampled_from([None, "x", "z"]),
    source=st.sampled_from([None, "cli", "loadtest"]),
    model=st.sampled_from([None, "b", "1" * 12, "none"]),
    min_score=st.sampled_from([None, 0.5, 1.0]),
    after=st.none() | st.integers(0, 60),
    before=st.none() | st.integers(0, 60),
    limit=st.none() | st.integers(0, 10),
    descending=st.booleans(),
)
def test_every_filter_answers_as_a_look_at_all_rows_would(
    home: Path,
    entries: list[Any],
    since: int | None,
    until: int | None,
    label: str | None,
    source: str | None,
    model: str | None,
    min_score: float | None,
    after: int | None,
    before: int | None,
    limit: int | None,
    descending: bool,
) -> None:
    path = home / "cvserve.db"
    History.open(home).close()
    connection = connect(path)
    for table in ("predictions", "token_usage"):
        connection.execute(f"DELETE FROM {table}")
    connection.execute("DELETE FROM sqlite_sequence")
    insert_rows(connection, [row(model=key) for key in MODELS], {})
    connection.execute("DELETE FROM predictions")
    expected, second, number = [], 0, 0
    for gap, step, its_label, score, its_source, its_model in entries:
        second, number = second + gap, number + step
        insert_rows(connection, [row(its_label, score, source=its_source, model=MODELS[its_model])], {})
        connection.execute(
            "UPDATE predictions SET id = ?, created_at = ? WHERE id = (SELECT max(id) FROM predictions)",
            (1_000 + number, stamp(second)),
        )
        chosen = [
            since is None or second >= since,
            until is None or second < until,
            label in (None, its_label),
            its_source == source if source else its_source != "loadtest",
            model is None or model in (MODELS[its_model].name, MODELS[its_model].version),
            min_score is None or score >= min_score,
        ]
        in_page = [after is None or 1_000 + number > 1_000 + after, before is None or 1_000 + number < 1_000 + before]
        expected.append((1_000 + number, all(chosen), all(in_page)))
    connection.close()
    query = Query(
        limit=limit,
        after=None if after is None else 1_000 + after,
        before=None if before is None else 1_000 + before,
        descending=descending,
        label=label,
        model=model,
        source=source,
        min_score=min_score,
        since=bound(since),
        until=bound(until),
    )
    reader = PredictionReader(path)
    found = [entry.id for page in reader.read_pages(query) for entry in page]
    counted = reader.count(query) if query.is_filtered else None
    reader.close()
    ids = [number for number, is_chosen, is_in_page in expected if is_chosen and is_in_page]
    ids = ids[::-1] if descending else ids
    assert found == (ids if limit is None else ids[:limit])
    if counted is not None:
        assert counted == sum(is_chosen for _, is_chosen, _ in expected)


@pytest.fixture
def many(home: Path) -> Path:
    """2,500 rows."""
    with History.open(home) as history:
        insert_rows(connection := connect(history.path), [row(str(number % 3)) for number in range(2_500)], {})
        connection.close()
    return home / "cvserve.db"


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("limit", [None, 1, 999, 1_000, 1_001, 2_000, 2_500, 9_999])
def test_pages_fit_together(many: Path, descending: bool, limit: int | None) -> None:
    reader = PredictionReader(many)
    pages = list(reader.read_pages(Query(limit=limit, descending=descending)))
    reader.close()
    ids = [entry.id for page in pages for entry in page]
    everything = list(range(1, 2_501))[:: -1 if descending else 1]
    assert ids == everything[:limit]
    assert max(map(len, pages)) <= PAGE


def test_rows_that_come_while_pages_are_read_are_left_out(many: Path) -> None:
    reader = PredictionReader(many)
    writer = connect(many)
    ids = []
    for page in reader.read_pages(Query()):
        ids += [entry.id for entry in page]
        insert_rows(writer, [row()], {})
    assert ids == list(range(1, 2_501))
    writer.close()
    reader.close()


def test_counts_are_kept_by_each_commit_and_leave_load_tests_out(home: Path) -> None:
    with TokenStore(History.open(home).path) as tokens:
        _, token = tokens.create("a")
    connection = connect(home / "cvserve.db")
    insert_rows(connection, [row(), row(token_id=token.id), row(token_id=token.id, source="loadtest")], {})
    insert_rows(connection, [row(token_id=token.id)], {})
    insert_rows(connection, [], {})
    connection.close()
    reader = PredictionReader(home / "cvserve.db")
    assert reader.count(Query()) == 3
    assert reader.count(Query(token_id=token.id)) == 2
    assert reader.count(Query(source="loadtest")) == 1
    assert reader.get(2) is not None
    assert reader.get(2, token.id + 1) is None
    assert reader.get(2, token.id) is not None
    reader.close()


def test_a_reader_in_a_transaction_blocks_no_writer(home: Path) -> None:
    with History.open(home) as history:
        insert_rows(connect(history.path), [row()], {})
        reader = connect(history.path)
        reader.execute("PRAGMA query_only = ON")
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM predictions").fetchone() == (1,)
        writer = connect(history.path, writer=True)
        writer.execute("PRAGMA busy_timeout = 0")
        for _ in range(3):
            insert_rows(writer, [row()], {})
        assert len(history) == 4
        assert reader.execute("SELECT count(*) FROM predictions").fetchone() == (1,)
        reader.execute("COMMIT")
        assert reader.execute("SELECT count(*) FROM predictions").fetchone() == (4,)
        reader.close()
        writer.close()


def test_a_reader_can_change_nothing(home: Path) -> None:
    with History.open(home) as history:
        insert_rows(connect(history.path), [row()], {})
    reader = PredictionReader(home / "cvserve.db")
    from cvserve.store.database import connect_reader

    connection = connect_reader(home / "cvserve.db")
    with pytest.raises(sqlite3.OperationalError):
        connection.execute("DELETE FROM predictions")
    connection.close()
    reader.close()


def test_each_moment_begins_at_its_row(home: Path) -> None:
    path = History.open(home).path
    connection = connect(path)
    insert_rows(connection, [row() for _ in range(40)], {})
    connection.executemany("UPDATE predictions SET created_at = ? WHERE id = ?", [(stamp(n), n) for n in range(1, 41)])
    connection.close()
    reader = PredictionReader(path)
    for second in range(42):
        since = [entry.id for page in reader.read_pages(Query(since=stamp(second))) for entry in page]
        until = [entry.id for page in reader.read_pages(Query(until=stamp(second))) for entry in page]
        assert since == list(range(max(second, 1), 41))
        assert until == list(range(1, min(second, 41)))
    reader.close()
