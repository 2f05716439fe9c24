"""The write-ahead log begins anew also while somebody reads all the time."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cvserve.history.history import History
from cvserve.store import wal
from cvserve.store.database import connect, connect_reader
from cvserve.store.gate import Gate
from cvserve.store.guard import Guard
from cvserve.store.sqlite import sqlite3
from cvserve.store.transaction import insert_rows
from cvserve.store.wal import WriteAheadLog
from support.rows import row

LONG_BYTES = 1024**2


@pytest.fixture
def path(home: Path) -> Path:
    return History.open(home).path


@pytest.fixture
def connection(path: Path) -> Iterator["sqlite3.Connection"]:
    connection = connect(path, writer=True)
    yield connection
    connection.close()


def frames_of(connection: "sqlite3.Connection") -> int:
    frames: int = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[1]
    return frames


def write(connection: "sqlite3.Connection", count: int) -> None:
    for _ in range(count):
        insert_rows(connection, [row()], {})


def test_readers_that_follow_each_other_are_held_until_the_wal_has_begun_anew(
    path: Path, connection: "sqlite3.Connection", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wal, "LONG_WAL_BYTES", LONG_BYTES)
    guard, gate = Guard(path), Gate()
    log = WriteAheadLog(path, guard, gate)
    first, second = connect_reader(path), connect_reader(path)
    with gate:  # a scan that begins before the rows, and ends after the next one has begun
        first.execute("BEGIN")
        first.execute("SELECT max(id) FROM predictions").fetchall()
        write(connection, 300)
        guard.look(is_own_write=True)
        assert frames_of(connection) * 4_096 > LONG_BYTES
        log.keep_short(connection)
        assert gate.closed_s is not None
        log.begin_anew_if_calm(connection)
        assert gate.closed_s is not None  # somebody reads
        entered = threading.Event()
        thread = threading.Thread(target=pass_through, args=(gate, entered))
        thread.start()
        assert not entered.is_set()
        first.execute("COMMIT")
    assert gate.is_empty
    log.begin_anew_if_calm(connection)
    assert entered.wait(10)
    thread.join()
    write(connection, 1)
    assert frames_of(connection) < 20
    for other in (first, second):
        other.close()
    guard.close()


def pass_through(gate: Gate, entered: threading.Event) -> None:
    with gate:
        entered.set()


def test_a_reader_of_another_program_keeps_the_gate_closed_for_a_moment_only(
    path: Path, connection: "sqlite3.Connection", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wal, "LONG_WAL_BYTES", LONG_BYTES)
    guard, gate = Guard(path), Gate()
    log = WriteAheadLog(path, guard, gate)
    other = connect_reader(path)
    other.execute("BEGIN")
    other.execute("SELECT max(id) FROM predictions").fetchall()
    write(connection, 300)
    guard.look(is_own_write=True)
    log.keep_short(connection)
    log.begin_anew_if_calm(connection)
    assert gate.closed_s is None
    write(connection, 1)  # nothing is lost and nobody waits
    other.close()
    guard.close()


def test_a_short_wal_closes_nothing(path: Path, connection: "sqlite3.Connection") -> None:
    guard, gate = Guard(path), Gate()
    write(connection, 5)
    WriteAheadLog(path, guard, gate).keep_short(connection)
    assert gate.closed_s is None
    guard.close()
