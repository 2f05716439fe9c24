"""Whether the names of an open database still lead to its files: moved, replaced, cut off, written by others."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cvserve.history.history import History
from cvserve.store.database import connect
from cvserve.store.place import SUFFIXES, Change, Place
from cvserve.store.sqlite import sqlite3
from cvserve.store.transaction import insert_rows
from support.rows import row

WAL_LIMIT_BYTES = 64 * 1024**2


@pytest.fixture
def path(home: Path) -> Path:
    return History.open(home).path


@pytest.fixture
def connection(path: Path) -> Iterator["sqlite3.Connection"]:
    connection = connect(path)
    insert_rows(connection, [row()], {})
    yield connection
    connection.close()


@pytest.fixture
def place(connection: "sqlite3.Connection", path: Path) -> Place:
    return Place(path, WAL_LIMIT_BYTES)


def test_what_we_and_others_commit_is_no_change(place: Place, connection: "sqlite3.Connection", path: Path) -> None:
    insert_rows(connection, [row()] * 50, {})
    assert place.look() is Change.NONE
    other = connect(path)
    insert_rows(other, [row()] * 50, {})
    other.close()
    assert place.look() is Change.NONE
    assert place.is_kept()
    assert place.wal_bytes == path.with_name(f"{path.name}-wal").stat().st_size


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    "act",
    [
        lambda name: name.unlink(),
        lambda name: name.rename(name.with_name("away")),
        lambda name: (subprocess.run(["cp", name, "copy"], check=True), Path("copy").rename(name)),
    ],
    ids=["removed", "renamed", "replaced by its copy"],
)
def test_each_file_is_missed(place: Place, path: Path, suffix: str, act: Callable[[Path], object]) -> None:
    act(path.with_name(f"{path.name}{suffix}"))
    assert place.look() is Change.MOVED
    assert not place.is_kept()


def test_a_file_that_comes_back_is_in_its_place_again(place: Place, path: Path) -> None:
    path.rename("away")
    assert place.look() is Change.MOVED
    Path("away").rename(path)
    assert place.look() is Change.NONE


@pytest.mark.parametrize("suffix", SUFFIXES[:2])
def test_bytes_that_are_gone_are_missed(place: Place, path: Path, suffix: str) -> None:
    name = path.with_name(f"{path.name}{suffix}")
    os.truncate(name, name.stat().st_size - 1)
    assert place.look() is Change.SHORTER
    assert place.look() is Change.NONE  # told once


def test_a_wal_that_was_cut_off_and_written_to_is_missed(
    place: Place, connection: "sqlite3.Connection", path: Path
) -> None:
    insert_rows(connection, [row()] * 200, {})
    assert place.look() is Change.NONE
    os.truncate(path.with_name(f"{path.name}-wal"), 0)
    insert_rows(connection, [row()], {})
    assert place.look(is_own_write=True) is Change.SHORTER


def test_a_wal_that_is_cut_to_its_limit_lost_nothing(connection: "sqlite3.Connection", path: Path) -> None:
    wal = path.with_name(f"{path.name}-wal")
    place = Place(path, wal_limit_bytes=wal.stat().st_size - 10)
    os.truncate(wal, wal.stat().st_size - 5)
    assert place.look() is Change.NONE


def test_only_the_write_of_somebody_else_is_one(place: Place, connection: "sqlite3.Connection", path: Path) -> None:
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    assert place.look(is_own_write=True) is Change.NONE
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
    assert place.look() is Change.WRITTEN
    assert place.look() is Change.NONE
