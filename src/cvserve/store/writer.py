"""The one writer of a server: a thread that stores all that waits in one transaction (group commit).

A caller hands over rows and a function; the function is called after COMMIT, so whoever hears of an id can
rely on it. While one commit syncs to the disk, the next group gathers by itself: there is no timer. A caller that is
alone may commit in its own thread, where that takes no waiting.
"""

import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue

from loguru import logger

from cvserve.errors import HistoryError, HistoryUnavailable
from cvserve.store.database import connect, set_hasty
from cvserve.store.rows import ModelKey, NewRow, Stored
from cvserve.store.sqlite import sqlite3, to_history_error
from cvserve.store.transaction import insert_rows

Result = list[Stored] | HistoryError
Done = Callable[[Result], None]
_Entry = tuple[Sequence[NewRow], Done]
Deliver = Callable[[list[tuple[Done, Result]]], None]

_MAX_GROUP_ROWS = 1_024
# After these the connection is as good as before; opening another would wait for the same lock once more.
_HARMLESS = ("SQLITE_BUSY", "SQLITE_FULL")
_SYNC_INTERVAL_S = 1.0
# Then the writer's thread is next, whose commits also move the WAL into the file: it stays short.
_MAX_HASTY_COMMITS = 100
_WAKE_UP: _Entry = ((), lambda result: None)


class HistoryWriter:
    """Group commit on one connection, by a thread of its own; `store_now` uses the same connection beside it.

    Args:
        path: a prepared database.
        deliver: takes the results of a group, e.g. to hand them to an event loop in one go.
        durability: `full` or `normal`.
    """

    def __init__(self, path: Path, deliver: Deliver, *, durability: str = "full") -> None:
        self._path = path
        self._deliver = deliver
        self._durability = durability
        self._waiting: SimpleQueue[_Entry | None] = SimpleQueue()  # None: there will be nothing more
        self._lock = threading.Lock()
        self._closing = self._ended = self._unsynced = False
        self._hasty_commits = 0
        self._is_wanted_hasty = self._is_doubtful = False
        self._model_ids: dict[ModelKey, int] = {}
        self._connection = connect(path, writer=True, durability=durability)
        self._connection_lock = threading.Lock()
        self._is_hasty = False
        self._thread = threading.Thread(target=self._run, name="cvserve-writer", daemon=True)
        self.failure: HistoryError | None = None

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def submit(self, rows: Sequence[NewRow], done: Done) -> None:
        """Store rows, all or none; `done` hears the ids in order, or the error, after the commit.

        Raises:
            HistoryUnavailable: the writer was closed.
        """
        with self._lock:
            if self._closing:
                raise HistoryUnavailable("The server is stopping; the history takes no more.")
            self._waiting.put((rows, done))

    def store_now(self, rows: Sequence[NewRow]) -> list[Stored] | None:
        """Store rows, all or none, in the caller's thread, which waits for no sync, lock or checkpoint.

        One row alone is committed in the time that it takes to hand it to the writer's thread and back.

        Returns:
            None: nothing was stored, since that would have to wait, or it failed; or the writer's thread has to commit
                first and make the connection ready for this. `submit` is the way then.
        """
        if self._durability == "full" or self.failure or not self._connection_lock.acquire(blocking=False):
            return None
        try:
            if not self._is_hasty or self._hasty_commits >= _MAX_HASTY_COMMITS:
                self._is_wanted_hasty = True
                return None
            stored = insert_rows(self._connection, rows, self._model_ids)
        except Exception as error:
            self._is_doubtful |= isinstance(error, sqlite3.Error) and _is_harmful(error)
            return None  # the writer's thread tries again, and tells when it fails
        finally:
            self._connection_lock.release()
        self._hasty_commits += 1
        if not self._unsynced:
            self._unsynced = True
            self._waiting.put(_WAKE_UP)  # its clock runs while something is not synced
        return stored

    def close(self) -> None:
        """Write what waits, then stop. May be called twice."""
        with self._lock:
            self._closing = True
            self._waiting.put(None)
        if self._thread.is_alive():
            self._thread.join()
        with self._connection_lock:
            self._connection.close()

    def _run(self) -> None:
        synced_at = time.monotonic()
        while True:
            group = self._next_group(_SYNC_INTERVAL_S if self._unsynced else None)
            if group is None:
                break
            if group:
                with self._connection_lock:
                    self._commit_patiently(group)
                self._unsynced = self._durability == "normal"
            if self._unsynced and time.monotonic() - synced_at >= _SYNC_INTERVAL_S:
                self._sync_wal()
                synced_at = time.monotonic()
        if self._unsynced:
            self._sync_wal()

    def _next_group(self, timeout_s: float | None) -> list[_Entry] | None:
        """All that waits, up to a bound; empty after `timeout_s`; None when closed and drained."""
        group: list[_Entry] = []
        size = 0
        try:
            entry = None if self._ended else self._waiting.get(timeout=timeout_s)
            while entry is not None:
                if entry is not _WAKE_UP:
                    group.append(entry)
                size += len(entry[0])
                if size >= _MAX_GROUP_ROWS:
                    return group
                entry = self._waiting.get_nowait()
        except Empty:
            return group
        self._ended = True
        return group or None

    def _commit_patiently(self, group: list[_Entry]) -> None:
        """Commit, and then make the connection ready for `store_now`, if it was asked."""
        if self._is_doubtful:
            logger.error("history: a commit failed in the event loop; the database is opened again")
            self._reopen()
            self._is_doubtful = False
        self._set_hasty(False)
        self._commit(group)
        if self._is_wanted_hasty and self.failure is None:
            self._is_wanted_hasty, self._hasty_commits = False, 0
            self._set_hasty(True)
            try:
                # If the WAL was just moved into the file, the next commit begins it anew, and that is synced.
                insert_rows(self._connection, [], self._model_ids)
            except sqlite3.Error:
                self._set_hasty(False)

    def _commit(self, group: list[_Entry]) -> None:
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

    def _set_hasty(self, hasty: bool) -> None:
        if hasty is not self._is_hasty:
            set_hasty(self._connection, hasty)
            self._is_hasty = hasty

    def _fail(self, group: list[_Entry], error: Exception) -> None:
        """Nothing of the group was stored: tell everybody who waits, and go on."""
        if not isinstance(error, sqlite3.Error):
            # Not the database but a value that it cannot hold, such as a model's label that is no Unicode.
            if len(group) > 1:
                for entry in group:
                    self._commit([entry])
                return
            logger.opt(exception=error).error("history: a row cannot be stored")
            self._deliver([(group[0][1], HistoryUnavailable("This answer cannot be stored in the history."))])
            return
        self.failure = to_history_error(error)
        logger.error("history: a commit of {} rows failed: {}", sum(len(entry) for entry, _ in group), error)
        self._deliver([(done, self.failure) for _, done in group])
        if _is_harmful(error):
            self._reopen()

    def _reopen(self) -> None:
        """A connection whose sync failed may believe what the disk does not hold: never go on with it."""
        try:
            fresh = connect(self._path, writer=True, durability=self._durability)
        except HistoryError as error:
            logger.error("history: cannot be opened again yet: {}", error)
            return
        self._connection.close()
        self._connection, self._is_hasty = fresh, False
        self._model_ids.clear()

    def _sync_wal(self) -> None:
        """With `normal`, commits of the last second are what a power cut may take."""
        self._unsynced = False  # before the sync: what is committed meanwhile needs the next one
        try:
            descriptor = os.open(f"{self._path}-wal", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        try:
            os.fsync(descriptor)
        except OSError as error:
            logger.error("history: the WAL cannot be synced: {}", error.strerror)
            self._unsynced = True
        finally:
            os.close(descriptor)


def _is_harmful(error: "sqlite3.Error") -> bool:
    return getattr(error, "sqlite_errorname", "") not in _HARMLESS
