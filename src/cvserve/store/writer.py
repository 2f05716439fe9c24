"""The one writer of a server: a thread that stores all rows that wait in one transaction (group commit).

A caller hands over rows and a function, which is called after COMMIT: an id it receives is committed. While
one commit syncs to the disk, the rows of the next group gather by themselves, so there is no timer.
"""

import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue

from loguru import logger

from cvserve.errors import HistoryError, HistoryUnavailable
from cvserve.logs.events import log_seldom
from cvserve.store.database import connect
from cvserve.store.rows import ModelKey, NewRow, Stored
from cvserve.store.sqlite import sqlite3, to_history_error
from cvserve.store.transaction import insert_rows

Result = list[Stored] | HistoryError
Done = Callable[[Result], None]
_Entry = tuple[Sequence[NewRow], Done]
Deliver = Callable[[list[tuple[Done, Result]]], None]

_MAX_GROUP_ROWS = 1_024
# After these errors the connection is as good as before; opening another would wait for the same lock once more.
_KEEPS_CONNECTION = ("SQLITE_BUSY", "SQLITE_FULL")
_SYNC_INTERVAL_S = 1.0


class HistoryWriter:
    """Group commit on one connection, by a thread of its own.

    Args:
        path: a prepared database.
        deliver: called in the writer's thread with the results of a whole group, so that they can be handed to an
            event loop in one go; it must see to it that each function is called with its result.
        durability: `full` syncs each commit to the disk before its ids are returned; `normal` syncs once a second, so
            that a power cut may take the rows of the last second.

    Attributes:
        failure: why the last commit failed; None after one that worked.
    """

    def __init__(self, path: Path, deliver: Deliver, *, durability: str = "full") -> None:
        self._path = path
        self._deliver = deliver
        self._durability = durability
        self._waiting: SimpleQueue[_Entry | None] = SimpleQueue()  # None: nothing more will come
        self._lock = threading.Lock()  # no entry may come behind that None
        self._is_closed = False
        self._model_ids: dict[ModelKey, int] = {}
        self._is_broken = False  # the connection failed and no other could be opened yet
        self._connection = connect(path, writer=True, durability=durability)
        self._thread = threading.Thread(target=self._run, name="cvserve-writer", daemon=True)
        self.failure: HistoryError | None = None

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def submit(self, rows: Sequence[NewRow], done: Done) -> None:
        """Store rows, all or none. To be called from any thread.

        Args:
            rows: of one request; with none, only a mark is written, which shows whether the database can be written.
            done: called with the ids in order after the commit, or with the error.

        Raises:
            HistoryUnavailable: the writer was closed.
        """
        with self._lock:
            if self._is_closed:
                raise HistoryUnavailable("The server is stopping; the history takes no more.")
            self._waiting.put((rows, done))

    def close(self) -> None:
        """Write what waits, then stop. May be called twice."""
        with self._lock:
            self._is_closed = True
            self._waiting.put(None)
        if self._thread.is_alive():
            self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        is_synced, is_last, synced_at = True, False, time.monotonic()
        while not is_last:
            group, is_last = self._next_group(None if is_synced else _SYNC_INTERVAL_S)
            if group:
                self._commit(group)
                is_synced = self._durability == "full"
            if not is_synced and (is_last or time.monotonic() - synced_at >= _SYNC_INTERVAL_S):
                is_synced, synced_at = self._sync_wal(), time.monotonic()

    def _next_group(self, timeout_s: float | None) -> tuple[list[_Entry], bool]:
        """Wait for entries and take all that are there, up to a bound.

        Args:
            timeout_s: then the group is empty; None waits for ever.

        Returns:
            The group, and whether it is the last one, as the writer was closed.
        """
        group: list[_Entry] = []
        size = 0
        try:
            entry = self._waiting.get(timeout=timeout_s)
            while entry is not None:
                group.append(entry)
                size += len(entry[0])
                if size >= _MAX_GROUP_ROWS:
                    return group, False
                entry = self._waiting.get_nowait()
        except Empty:
            return group, False
        return group, True

    def _commit(self, group: list[_Entry]) -> None:
        if self._is_broken and (failure := self._reopen()) is not None:
            self.failure = failure
            self._deliver([(done, failure) for _, done in group])
            return
        rows = [row for entry, _ in group for row in entry]
        try:
            stored = insert_rows(self._connection, rows, self._model_ids)
        except Exception as error:
            self._fail(group, error)
            return
        self.failure = None
        results: list[tuple[Done, Result]] = []
        start = 0
        for entry, done in group:
            results.append((done, stored[start : start + len(entry)]))
            start += len(entry)
        self._deliver(results)

    def _fail(self, group: list[_Entry], error: Exception) -> None:
        """Tell everybody who waits that nothing of the group was stored, and make sure that the next group can be."""
        if not isinstance(error, sqlite3.Error) or _is_unbindable(error):
            # Not the database but a value that it cannot hold, such as a model's label that is no Unicode.
            if len(group) > 1:
                for entry in group:
                    self._commit([entry])
                return
            logger.opt(exception=error).error("history: a row cannot be stored")
            self._deliver([(group[0][1], HistoryUnavailable("This answer cannot be stored in the history."))])
            return
        self.failure = to_history_error(error)
        count = sum(len(entry) for entry, _ in group)
        log_seldom("commit", "ERROR", "history: a commit of {} rows failed: {}", count, error)
        self._deliver([(done, self.failure) for _, done in group])
        if _breaks_connection(error):
            self._is_broken = True
            self._reopen()

    def _reopen(self) -> HistoryError | None:
        """Open another connection: one whose sync failed may hold pages that are not on the disk.

        Returns:
            Why there is none, so that nothing may be written; the next commit begins with another attempt.
        """
        try:
            fresh = connect(self._path, writer=True, durability=self._durability)
        except HistoryError as error:
            log_seldom("reopen", "ERROR", "history: cannot be opened again yet: {}", error)
            return error
        self._connection.close()
        self._connection = fresh
        self._is_broken = False
        self._model_ids.clear()  # the file may be another one by now, such as a backup that somebody has put back
        return None

    def _sync_wal(self) -> bool:
        """Sync the write-ahead log (WAL) to the disk; False when that failed and is to be tried again."""
        try:
            descriptor = os.open(f"{self._path}-wal", os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except FileNotFoundError:
            return True
        except OSError as error:
            logger.error("history: the WAL cannot be synced: {}", error.strerror)
            return False
        return True


def _is_unbindable(error: "sqlite3.Error") -> bool:
    """Whether a value is of a type that SQLite does not know."""
    kinds = (sqlite3.InterfaceError, sqlite3.ProgrammingError)  # which of them depends on the version of Python
    return isinstance(error, kinds) and "Error binding parameter" in str(error)


def _breaks_connection(error: "sqlite3.Error") -> bool:
    return getattr(error, "sqlite_errorname", "") not in _KEEPS_CONNECTION
