"""Clocks that are set back: times rise with ids, or `since` and `until` know where they do not."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cvserve.history.history import History
from cvserve.store.clock import Clock
from cvserve.store.database import connect
from cvserve.store.migrations import load_migrations
from cvserve.store.predictions import PredictionReader, Query
from cvserve.store.sqlite import sqlite3
from cvserve.store.transaction import insert_rows
from support.rows import row

SECONDS = st.lists(st.integers(0, 3_000), min_size=1, max_size=25)


def stamp(second: int) -> str:
    return f"2026-01-01T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}.000Z"


def written(path: Path, seconds: list[int]) -> list[str]:
    """The times of rows that were written when the clock stood so, by two programs in turn."""
    connections = [connect(path), connect(path)]
    now = [0]
    clocks = [Clock(lambda: stamp(now[0])), Clock(lambda: stamp(now[0]))]
    times = []
    for number, now[0] in enumerate(seconds):
        turn = number % 3 // 2
        times += [stored.created_at for stored in insert_rows(connections[turn], [row(), row()], {}, clocks[turn])]
    rows = connections[0].execute("SELECT created_at FROM predictions ORDER BY id").fetchall()
    assert [found[0] for found in rows][-len(times) :] == times  # what was answered is what is stored
    for connection in connections:
        connection.close()
    return times


def check_spans(path: Path, times: list[str], moments: list[int]) -> None:
    reader = PredictionReader(path)
    for since in (None, *moments):
        for until in (None, *moments):
            query = Query(since=stamp(since) if since else None, until=stamp(until) if until else None)
            wanted = [
                number
                for number, time in enumerate(times, 1)
                if (not since or time >= stamp(since)) and (not until or time < stamp(until))
            ]
            assert [found.id for page in reader.read_pages(query) for found in page] == wanted
            assert not query.is_filtered or reader.count(query) == len(wanted)
    reader.close()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seconds=SECONDS, moments=st.lists(st.integers(1, 3_000), min_size=1, max_size=3))
def test_every_span_is_what_a_look_at_all_rows_gives(home: Path, seconds: list[int], moments: list[int]) -> None:
    path = History.open(home).path
    connection = connect(path)
    for table in ("predictions", "clock_steps", "sqlite_sequence"):
        connection.execute(f"DELETE FROM {table}")
    connection.close()
    check_spans(path, written(path, seconds), moments)


def test_a_clock_that_is_corrected_is_waited_for(home: Path) -> None:
    path = History.open(home).path
    times = written(path, [1_000, 990, 995, 1_001])
    assert times == [stamp(1_000)] * 6 + [stamp(1_001)] * 2
    assert written(path, [950]) == [stamp(1_001)] * 2  # also by who starts anew


def written_once(path: Path, second: int) -> str:
    connection = connect(path)
    (stored,) = insert_rows(connection, [row()], {}, Clock(lambda: stamp(second)))
    connection.close()
    return stored.created_at


@pytest.mark.parametrize("back", [100, 3_600])
def test_a_clock_that_was_wrong_for_long_is_not_waited_for(home: Path, back: int) -> None:
    path = History.open(home).path
    assert written_once(path, 10_000) == stamp(10_000)
    assert written_once(path, 10_000 - back) == stamp(10_000 - back)
    assert written_once(path, 10_001 - back) == stamp(10_001 - back)
    connection = connect(path)
    assert connection.execute("SELECT first_id FROM clock_steps").fetchall() == [(2,)]
    connection.close()


def test_rows_of_an_older_cvserve_are_looked_through_once(home: Path) -> None:
    path = History.open(home).path
    seconds = [100, 200, 50, 60, 3_000, 10, 20]
    connection = connect(path)
    insert_rows(connection, [row() for _ in seconds], {})
    for number, second in enumerate(seconds, 1):
        connection.execute("UPDATE predictions SET created_at = ? WHERE id = ?", (stamp(second), number))
    connection.execute("DROP TABLE clock_steps")
    connection.execute("DELETE FROM _sqlite_migrations WHERE name = 'm003_clock_steps'")
    migrated(connection)
    connection.close()
    check_spans(path, [stamp(second) for second in seconds], [15, 55, 150, 2_000])


def migrated(connection: "sqlite3.Connection") -> Any:
    return load_migrations()(connection)
