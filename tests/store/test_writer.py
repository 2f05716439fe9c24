"""The server's writer: what it tells of rows, and what it does when the database or the disk fails."""

import errno
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import pytest

from cvserve.errors import HistoryError, HistoryUnavailable
from cvserve.history.history import History
from cvserve.store.database import connect
from cvserve.store.rows import NewRow
from cvserve.store.transaction import NO_TOKEN
from cvserve.store.writer import HistoryWriter
from support.rows import row

_PAGE_BYTES = 4_096


@pytest.fixture
def path(home: Path) -> Path:
    History.open(home).close()
    return home / "cvserve.db"


@pytest.fixture
def made(path: Path) -> Iterator[Callable[..., HistoryWriter]]:
    writers: list[HistoryWriter] = []

    def make(durability: str = "normal") -> HistoryWriter:
        writers.append(HistoryWriter(path, deliver, durability=durability))
        writers[-1].start()
        return writers[-1]

    yield make
    for writer in writers:
        writer.close()


def deliver(results: list[tuple[Any, Any]]) -> None:
    for done, result in results:
        done(result)


def submitted(writer: HistoryWriter, *rows: NewRow) -> Any:
    """What the writer's thread says of rows."""
    heard: SimpleQueue[Any] = SimpleQueue()
    writer.submit(rows, heard.put)
    return heard.get(timeout=30)


def ids_in(path: Path) -> list[int]:
    connection = connect(path)
    ids = [found[0] for found in connection.execute("SELECT id FROM predictions ORDER BY id")]
    connection.close()
    return ids


def test_ids_come_in_order_after_their_rows_are_committed(path: Path, made: Callable[..., HistoryWriter]) -> None:
    for durability, first_id in (("full", 1), ("normal", 4)):
        writer = made(durability)
        assert [stored.id for stored in submitted(writer, row())] == [first_id]
        assert [stored.id for stored in submitted(writer, row(), row())] == [first_id + 1, first_id + 2]
        assert ids_in(path) == list(range(1, first_id + 3))


def test_rows_of_two_threads_do_not_get_each_others_ids(path: Path, made: Callable[..., HistoryWriter]) -> None:
    writer = made()
    heard: SimpleQueue[tuple[str, Any]] = SimpleQueue()

    def hear(label: str, result: Any) -> None:
        heard.put((label, result))

    def submit_many(whose: str) -> None:
        for number in range(500):
            writer.submit([row(label=f"{whose} {number}")], partial(hear, f"{whose} {number}"))

    threads = [threading.Thread(target=submit_many, args=(whose,)) for whose in ("ours", "theirs")]
    for thread in threads:
        thread.start()
    known = {result[0].id: label for label, result in (heard.get(timeout=30) for _ in range(1_000))}
    for thread in threads:
        thread.join()
    connection = connect(path)
    assert dict(connection.execute("SELECT id, label FROM predictions")) == known
    connection.close()


def test_another_programs_lock_is_waited_for(path: Path, made: Callable[..., HistoryWriter]) -> None:
    writer = made()
    other = connect(path)
    other.execute("BEGIN IMMEDIATE")
    heard: SimpleQueue[Any] = SimpleQueue()
    statements: SimpleQueue[str] = SimpleQueue()
    writer._connection.set_trace_callback(statements.put)
    writer.submit([row()], heard.put)
    assert statements.get(timeout=30) == "BEGIN IMMEDIATE"
    with pytest.raises(Empty):  # one that does not wait fails in a moment
        heard.get(timeout=0.2)
    other.execute("ROLLBACK")
    other.close()
    assert [stored.id for stored in heard.get(timeout=30)] == [1]


def test_what_cannot_be_stored_leaves_no_trace_and_the_next_row_is_stored(
    path: Path, made: Callable[..., HistoryWriter]
) -> None:
    writer = made()
    assert isinstance(submitted(writer, row(), row(label="\ud800")), HistoryError)
    assert ids_in(path) == []
    assert [stored.id for stored in submitted(writer, row())] == [1]


@pytest.mark.parametrize(
    "bad", [{"label": "\ud800"}, {"warning": ["a list"]}, {"result": 2**70}], ids=["unicode", "type", "size"]
)
def test_a_value_that_the_database_cannot_hold_fails_its_own_request_only(path: Path, bad: dict[str, Any]) -> None:
    writer = HistoryWriter(path, deliver)
    connection = writer._connection
    heard: SimpleQueue[Any] = SimpleQueue()
    for entry in (row(), row(**bad), row()):
        writer.submit([entry], heard.put)
    writer.start()  # all three are one group
    first, second, third = (heard.get(timeout=30) for _ in range(3))
    assert [stored.id for stored in (*first, *third)] == [1, 2]
    assert isinstance(second, HistoryError)
    assert writer.failure is None
    assert writer._connection is connection
    writer.close()


def test_a_connection_that_failed_is_replaced(made: Callable[..., HistoryWriter]) -> None:
    writer = made()
    failed = writer._connection
    assert isinstance(submitted(writer, row(label=None)), HistoryError)
    assert writer.failure is not None
    assert [stored.id for stored in submitted(writer, row())] == [1]
    assert writer._connection is not failed
    assert writer.failure is None


def test_a_connection_that_failed_is_not_written_to_while_no_other_can_be_opened(
    home: Path, path: Path, made: Callable[..., HistoryWriter], tmp_path: Path
) -> None:
    writer = made()
    away = tmp_path / "away"
    home.rename(away)  # the connection still has its files; another one finds none
    assert isinstance(submitted(writer, row(label=None)), HistoryError)
    assert isinstance(submitted(writer, row()), HistoryError)
    assert writer.failure is not None
    assert ids_in(away / path.name) == []
    away.rename(home)
    assert [stored.id for stored in submitted(writer, row())] == [1]
    assert writer.failure is None
    assert ids_in(path) == [1]


def test_a_file_that_moves_during_a_commit_takes_its_rows_along_and_nobody_is_told_that_they_are_there(
    home: Path, path: Path, made: Callable[..., HistoryWriter], tmp_path: Path
) -> None:
    writer = made()
    away = tmp_path / "away"

    def move(statement: str) -> None:
        if statement == "COMMIT":
            home.rename(away)

    writer._connection.set_trace_callback(move)
    assert isinstance(submitted(writer, row()), HistoryError)
    writer._connection.set_trace_callback(None)
    assert ids_in(away / path.name) == [1]
    away.rename(home)
    assert [stored.id for stored in submitted(writer, row())] == [2]


def test_nobody_waits_longer_than_the_time_out_for_a_lock(path: Path) -> None:
    """Who comes while others wait for it already does not wait once more from the beginning."""
    writer = HistoryWriter(path, deliver, lock_timeout_ms=1_000)
    writer.start()
    other = connect(path)
    other.execute("BEGIN IMMEDIATE")
    statements: list[str] = []
    heard: SimpleQueue[Any] = SimpleQueue()

    def note(statement: str) -> None:
        statements.append(statement)
        if len(statements) == 1:
            writer.submit([row()], heard.put)  # while the first one begins to wait

    writer._connection.set_trace_callback(note)
    writer.submit([row()], heard.put)
    for _ in range(2):
        assert isinstance(heard.get(timeout=30), HistoryUnavailable)
    begin, wait, *_ = statements
    assert begin == "BEGIN IMMEDIATE"  # for 750 ms
    found = re.fullmatch(r"PRAGMA busy_timeout = (\d+)", wait)
    assert found
    assert int(found[1]) <= 250
    other.close()
    writer.close()


def test_the_wal_stays_short(path: Path, made: Callable[..., HistoryWriter]) -> None:
    writer = made()
    for _ in range(1_500):
        submitted(writer, row())
    assert len(ids_in(path)) == 1_500
    wal = path.with_name(f"{path.name}-wal")
    assert wal.stat().st_size < 2_500 * _PAGE_BYTES  # 1,500 commits are some 9,000 pages


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> SimpleQueue[tuple[str, float]]:
    """Which file was synced, and when by `time.monotonic()`."""
    synced: SimpleQueue[tuple[str, float]] = SimpleQueue()
    sync = os.fsync

    def note(descriptor: int) -> None:
        sync(descriptor)
        synced.put((os.readlink(f"/proc/self/fd/{descriptor}"), time.monotonic()))

    monkeypatch.setattr(os, "fsync", note)
    return synced


def test_what_was_committed_is_synced_a_moment_later(
    path: Path, made: Callable[..., HistoryWriter], synced: SimpleQueue[tuple[str, float]]
) -> None:
    writer = made()
    for _ in range(2):
        submitted(writer, row())
        committed_at = time.monotonic()
        file, synced_at = synced.get(timeout=30)
        assert file == str(path.with_name(f"{path.name}-wal"))
        assert synced_at - committed_at < 2
    connection = connect(path)
    assert connection.execute("SELECT token_id, predictions FROM token_usage").fetchall() == [(NO_TOKEN, 2)]
    connection.close()


def test_what_was_committed_last_is_synced_before_the_writer_is_closed(
    path: Path, made: Callable[..., HistoryWriter], synced: SimpleQueue[tuple[str, float]]
) -> None:
    writer = made()
    submitted(writer, row())
    synced.get(timeout=30)  # the next one is not due for a second
    submitted(writer, row())
    writer.close()
    assert synced.get_nowait()[0] == str(path.with_name(f"{path.name}-wal"))


@pytest.mark.parametrize(("call", "number"), [("fsync", errno.EIO), ("open", errno.EMFILE)])
def test_a_sync_that_failed_is_tried_again(
    made: Callable[..., HistoryWriter], monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    tried: SimpleQueue[Any] = SimpleQueue()

    def fail(descriptor: Any, *_: int) -> None:
        tried.put(descriptor)
        raise OSError(number, "no")

    writer = made()
    monkeypatch.setattr(f"cvserve.store.wal.os.{call}", fail)
    submitted(writer, row())
    for _ in range(2):
        tried.get(timeout=10)


def test_a_writer_that_was_closed_has_stored_what_waited_and_takes_nothing(
    path: Path, made: Callable[..., HistoryWriter]
) -> None:
    writer = made()
    for _ in range(10):
        writer.submit([row()], lambda result: None)
    writer.close()
    with pytest.raises(HistoryUnavailable):
        writer.submit([row()], print)
    assert ids_in(path) == list(range(1, 11))
