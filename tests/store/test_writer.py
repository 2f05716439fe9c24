"""The server's writer: groups on its own thread, and a row alone in the caller's thread where nothing has to wait."""

import os
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from cvserve.errors import HistoryError, HistoryUnavailable
from cvserve.history.history import History
from cvserve.store.database import connect
from cvserve.store.rows import NewRow
from cvserve.store.transaction import NO_TOKEN
from cvserve.store.writer import HistoryWriter
from support.rows import row
from support.waiting import wait_until

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


def ready(writer: HistoryWriter) -> HistoryWriter:
    """After a first row, which its thread stores."""
    assert writer.store_now([row()]) is None
    assert isinstance(submitted(writer, row()), list)
    wait_until(lambda: writer._is_hasty and not writer._connection_lock.locked())
    return writer


def ids_in(path: Path) -> list[int]:
    connection = connect(path)
    ids = [found[0] for found in connection.execute("SELECT id FROM predictions ORDER BY id")]
    connection.close()
    return ids


def test_a_row_alone_is_committed_in_the_thread_that_asks(path: Path, made: Callable[..., HistoryWriter]) -> None:
    writer = ready(made())
    assert [stored.id for stored in writer.store_now([row()]) or ()] == [2]
    assert ids_in(path) == [1, 2]
    assert [stored.id for stored in submitted(writer, row(), row())] == [3, 4]
    assert [stored.id for stored in ready(writer).store_now([row(), row()]) or ()] == [6, 7]
    assert ids_in(path) == [1, 2, 3, 4, 5, 6, 7]


def test_both_threads_at_once_do_not_mix_their_rows(path: Path, made: Callable[..., HistoryWriter]) -> None:
    writer = ready(made())
    heard: SimpleQueue[Any] = SimpleQueue()
    known: dict[int, str] = {}

    def hear(number: int, result: Any) -> None:
        heard.put((number, result))

    for number in range(500):
        writer.submit([row(label=f"theirs {number}")], partial(hear, number))
        for stored in writer.store_now([row(label=f"ours {number}")]) or ():
            known[stored.id] = f"ours {number}"
    assert any(known)
    for _ in range(500):
        number, result = heard.get(timeout=30)
        known[result[0].id] = f"theirs {number}"
    connection = connect(path)
    assert dict(connection.execute("SELECT id, label FROM predictions WHERE id > 1")) == known
    connection.close()


def test_a_commit_that_syncs_is_left_to_the_thread(path: Path, made: Callable[..., HistoryWriter]) -> None:
    writer = made("full")
    for number in range(3):
        assert writer.store_now([row()]) is None
        assert submitted(writer, row())[0].id == number + 1
    assert ids_in(path) == [1, 2, 3]


def test_another_programs_lock_is_not_waited_for(path: Path, made: Callable[..., HistoryWriter]) -> None:
    writer = ready(made())
    other = connect(path)
    other.execute("BEGIN IMMEDIATE")
    held = threading.Event()

    def ask() -> None:
        assert writer.store_now([row()]) is None
        held.set()

    asking = threading.Thread(target=ask)
    asking.start()
    assert held.wait(2)  # the writer's thread would wait for five seconds
    asking.join()
    heard: SimpleQueue[Any] = SimpleQueue()
    writer.submit([row()], heard.put)  # it does wait
    assert heard.empty()
    other.execute("ROLLBACK")
    other.close()
    assert [stored.id for stored in heard.get(timeout=30)] == [2]


def test_what_cannot_be_stored_is_left_to_the_thread_which_says_why(
    path: Path, made: Callable[..., HistoryWriter]
) -> None:
    writer = ready(made())
    assert writer.store_now([row(), row(label="\ud800")]) is None
    assert ids_in(path) == [1]
    assert isinstance(submitted(writer, row(label="\ud800")), HistoryError)
    assert [stored.id for stored in ready(writer).store_now([row()]) or ()] == [3]


def test_a_connection_that_failed_is_not_gone_on_with(path: Path, made: Callable[..., HistoryWriter]) -> None:
    writer = ready(made())
    failed = writer._connection
    assert writer.store_now([row(label=None)]) is None
    assert [stored.id for stored in submitted(writer, row())] == [2]
    assert writer._connection is not failed


def test_after_a_failure_the_thread_comes_first(made: Callable[..., HistoryWriter]) -> None:
    writer = made()
    assert isinstance(submitted(writer, row(label=None)), HistoryError)
    assert writer.failure is not None
    wait_until(lambda: not writer._connection_lock.locked())  # else that is why
    assert writer.store_now([row()]) is None
    assert [stored.id for stored in submitted(writer, row())] == [1]
    assert writer.failure is None
    assert ready(writer).store_now([row()]) is not None


def test_the_wal_stays_short_whoever_commits(path: Path, made: Callable[..., HistoryWriter]) -> None:
    writer = ready(made())
    left_to_the_thread = 0
    for _ in range(1_500):
        if writer.store_now([row()]) is None:
            left_to_the_thread += 1
            submitted(writer, row())
            wait_until(lambda: not writer._connection_lock.locked())
    assert len(ids_in(path)) == 1_501
    assert 10 <= left_to_the_thread <= 100
    wal = path.with_name(f"{path.name}-wal")
    assert wal.stat().st_size < 2_500 * _PAGE_BYTES  # 1,500 commits are some 9,000 pages


def test_what_was_committed_is_synced_within_a_second(
    path: Path, made: Callable[..., HistoryWriter], monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: SimpleQueue[str] = SimpleQueue()
    sync = os.fsync

    def seen(descriptor: int) -> None:
        synced.put(os.readlink(f"/proc/self/fd/{descriptor}"))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", seen)
    writer = ready(made())
    assert synced.get(timeout=10)
    for _ in range(2):
        assert writer.store_now([row()]) is not None
        assert synced.get(timeout=10) == str(path.with_name(f"{path.name}-wal"))
    connection = connect(path)
    assert connection.execute("SELECT token_id, predictions FROM token_usage").fetchall() == [(-1, 0), (NO_TOKEN, 3)]
    connection.close()


def test_a_writer_that_was_closed_takes_nothing(path: Path, made: Callable[..., HistoryWriter]) -> None:
    writer = made()
    writer.close()
    assert writer.store_now([row()]) is None
    with pytest.raises(HistoryUnavailable):
        writer.submit([row()], print)
    assert ids_in(path) == []
