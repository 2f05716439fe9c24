"""What is known of a database's condition: suspicions are checked, damage is final until it is gone, moves are seen."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cvserve.errors import HistoryDamaged, HistoryUnavailable
from cvserve.history.history import History
from cvserve.store.database import connect
from cvserve.store.guard import Guard
from cvserve.store.sqlite import sqlite3
from cvserve.store.transaction import insert_rows
from support.rows import row
from support.waiting import wait_until


@pytest.fixture
def path(home: Path) -> Path:
    path = History.open(home).path
    connection = connect(path, writer=True)
    for _ in range(30):
        insert_rows(connection, [row()] * 100, {})
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.close()
    return path


@pytest.fixture
def writer(path: Path) -> Iterator["sqlite3.Connection"]:
    connection = connect(path, writer=True)
    yield connection
    connection.close()


@pytest.fixture
def guard(path: Path, writer: "sqlite3.Connection") -> Iterator[Guard]:
    guard = Guard(path, pause_s=0.0)
    yield guard
    guard.close()


def overwrite(path: Path) -> None:
    """Other bytes in the pages from the tenth on; by another process, as to close the file would drop our locks."""
    subprocess.run(
        ["dd", "if=/dev/urandom", f"of={path}", "bs=4096", "seek=10", "count=20", "conv=notrunc"],
        check=True,
        capture_output=True,
    )


def test_a_suspicion_without_a_cause_is_dropped(guard: Guard) -> None:
    assert guard.look() is None
    guard.suspect()
    assert isinstance(guard.fault, HistoryDamaged)  # at once: nobody is told that all is well before it was checked
    assert guard.look() is None
    assert guard.fault is None


def test_a_suspicion_with_a_cause_is_a_fault_until_it_is_gone(guard: Guard, path: Path) -> None:
    subprocess.run(["cp", path, "before"], check=True)
    overwrite(path)
    guard.suspect()
    for _ in range(3):
        assert isinstance(guard.look(), HistoryDamaged)
    assert isinstance(guard.fault, HistoryDamaged)
    subprocess.run(["dd", "if=before", f"of={path}", "conv=notrunc"], check=True, capture_output=True)
    wait_until(lambda: guard.look() is None)


def test_what_somebody_else_writes_is_checked_beside_the_writer(guard: Guard, path: Path) -> None:
    overwrite(path)
    wait_until(lambda: isinstance(guard.look(), HistoryDamaged))


def test_a_file_that_was_cut_off_is_a_fault_at_once(guard: Guard, path: Path) -> None:
    os.truncate(path, 20 * 4_096)
    assert isinstance(guard.look(is_own_write=True), HistoryDamaged)


def test_a_file_that_has_moved_is_a_fault_until_it_is_back(guard: Guard, path: Path) -> None:
    path.rename("away")
    fault = guard.look()
    assert isinstance(fault, HistoryUnavailable)
    assert "put it back, or restart" in str(fault)
    Path("away").rename(path)
    assert guard.look() is None


def test_no_connection_is_opened_to_a_file_that_took_the_place(
    guard: Guard, writer: "sqlite3.Connection", path: Path
) -> None:
    """SQLite would take our -shm for an old one and cut it off under the writer, which ends the process."""
    subprocess.run(["cp", path, "backup"], check=True)
    insert_rows(writer, [row()], {})

    def read_shm() -> bytes:
        return subprocess.run(["cat", f"{path}-shm"], check=True, capture_output=True).stdout

    before = read_shm()
    Path("backup").rename(path)
    with pytest.raises(HistoryUnavailable, match="moved or replaced"):
        connect(path, is_kept=guard.is_kept)
    assert read_shm() == before
    insert_rows(writer, [row()], {})
