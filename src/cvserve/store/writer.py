"""The one writer of a server: a thread that stores all rows that wait in one transaction (group commit).

A caller hands over rows and a function, which is called after COMMIT: an id it receives is committed. While
one commit syncs to the disk, the rows of the next group gather by themselves, so there is no timer.
"""

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue

from loguru import logger

from cvserve.errors import HistoryError, HistoryUnavailable
from cvserve.store.clock import Clock
from cvserve.store.database import connect
from cvserve.store.gate import Gate
from cvserve.store.guard import Guard
from cvserve.store.outage import Outage
from cvserve.store.rows import ModelKey, NewRow, Stored
from cvserve.store.sqlite import breaks_connection, is_doubtful, is_unbindable, sqlite3, to_history_error
from cvserve.store.transaction import insert_rows
from cvserve.store.wal import WriteAheadLog

Result = list[Stored] | HistoryError
Done = Callable[[Result], None]
_Entry = tuple[Sequence[NewRow], Done, float]  # the last: when it came
Deliver = Callable[[list[tuple[Done, Result]]], None]

_MAX_GROUP_ROWS = 1_024
_TICK_S = 1.0
_LOOK_INTERVAL_S = 0.1
# Below this age an entry is taken for new: then no statement is needed to say how long its group may wait.
_NEW_MS = 250


class HistoryWriter:
    """Group commit on one connection, by a thread of its own.

    Args:
        path: a prepared database.
        deliver: called in the writer's thread with the results of a whole group, so that they can be handed to an
            event loop in one go; it must see to it that each function is called with its result.
        durability: `full` syncs each commit to the disk before its ids are returned; `normal` syncs once a second, so
            that a power cut may take the rows of the last second.
        lock_timeout_ms: for which an entry waits in all while another program holds the database.

    Attributes:
        guard: knows whether the database is in its place and whole.
        gate: to be passed by reads that may take long.

    Raises:
        HistoryError: it cannot be opened.
    """

    def __init__(self, path: Path, deliver: Deliver, *, durability: str = "full", lock_timeout_ms: int = 5_000) -> None:
        self._path = path.absolute()  # the name, wherever the working folder goes
        self._deliver = deliver
        self._durability = durability
        self._waiting: SimpleQueue[_Entry | None] = SimpleQueue()  # None: nothing more will come
        self._lock = threading.Lock()  # no entry may come behind that None
        self._is_closed = False
        self._model_ids: dict[ModelKey, int] = {}
        self._clock = Clock()
        self._is_broken = False  # the connection failed and no other could be opened yet
        self._looked_at = time.monotonic()
        self._has_fault = False  # the guard found one at the last look
        self._is_synced = True
        self._lock_timeout_ms = lock_timeout_ms
        self._busy_timeout_ms = self._usual_wait_ms = max(0, lock_timeout_ms - _NEW_MS)
        self._outage = Outage()
        self._connection = self._connect()
        self.guard = Guard(self._path)
        self.gate = Gate()
        self._wal = WriteAheadLog(self._path, self.guard, self.gate)
        self._thread = threading.Thread(target=self._run, name="cvserve-writer", daemon=True)

    @property
    def failure(self) -> HistoryError | None:
        """Why nothing can be stored, as far as is known: the last commit failed, or the file is gone or damaged."""
        return self.guard.fault or self._outage.failure

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
            self._waiting.put((rows, done, time.monotonic()))

    def close(self) -> None:
        """Write what waits, then stop. May be called twice."""
        with self._lock:
            self._is_closed = True
            self._waiting.put(None)
        if self._thread.is_alive():
            self._thread.join()
        self.guard.close()
        self._connection.close()

    def _run(self) -> None:
        is_last, ticked_at = False, time.monotonic()
        while not is_last:
            group, is_last = self._next_group(_TICK_S)
            if group:
                self._commit(group)
                self._is_synced = self._durability == "full"
            self._wal.begin_anew_if_calm(self._connection)
            if is_last or time.monotonic() - ticked_at >= _TICK_S:
                self._tick()
                ticked_at = time.monotonic()

    def _tick(self) -> None:
        """Once a second: sync what a durability of `normal` has left, and see whether the files are still there."""
        if not self._is_synced:
            self._is_synced = self._wal.sync()
        if (fault := self._find_fault()) is not None:
            self._outage.begin(fault, 0)
        else:
            self._wal.keep_short(self._connection)

    def _find_old_fault(self) -> HistoryError | None:
        """Ask the guard before a commit, unless it was asked a moment ago: after the commit it is asked in any case."""
        if self.guard.fault is None and time.monotonic() - self._looked_at < _LOOK_INTERVAL_S:
            return None
        return self._find_fault()

    def _find_fault(self, *, is_own_write: bool = False) -> HistoryError | None:
        """Ask the guard, and note that it has nothing against the files any more."""
        fault = self.guard.look(is_own_write=is_own_write)
        if fault is None and self._has_fault:
            self._outage.end()
        self._has_fault = fault is not None
        self._looked_at = time.monotonic()
        return fault

    def _next_group(self, timeout_s: float) -> tuple[list[_Entry], bool]:
        """Wait for entries and take all that are there, up to a bound.

        Args:
            timeout_s: then the group is empty.

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
        if (failure := self._find_old_fault() or (self._reopen() if self._is_broken else None)) is not None:
            self._refuse(group, failure)
            return
        self._limit_wait(group[0][2])
        try:
            stored = insert_rows(
                self._connection, [row for entry in group for row in entry[0]], self._model_ids, self._clock
            )
        except Exception as error:
            self._fail(group, error)
            return
        # Committed, but to which file? What is acknowledged must be in the one that has the name now.
        if (failure := self._find_fault(is_own_write=True)) is not None:
            self._refuse(group, failure)
            return
        self._outage.end()
        results: list[tuple[Done, Result]] = []
        start = 0
        for entry, done, _ in group:
            results.append((done, stored[start : start + len(entry)]))
            start += len(entry)
        self._deliver(results)

    def _fail(self, group: list[_Entry], error: Exception) -> None:
        """Tell everybody who waits that nothing of the group was stored, and make sure that the next group can be."""
        if not isinstance(error, sqlite3.Error) or is_unbindable(error):
            # Not the database but a value that it cannot hold, such as a model's label that is no Unicode.
            if len(group) > 1:
                for entry in group:
                    self._commit([entry])
                return
            logger.opt(exception=error).error("history: a row cannot be stored")
            self._deliver([(group[0][1], HistoryUnavailable("This answer cannot be stored in the history."))])
            return
        if is_doubtful(error):
            self.guard.suspect()
        self._refuse(group, to_history_error(error), error)
        if breaks_connection(error):
            self._is_broken = True
            self._reopen()

    def _refuse(self, group: list[_Entry], failure: HistoryError, cause: object = None) -> None:
        self._outage.begin(failure, len(group), cause)
        self._deliver([(done, failure) for _, done, _ in group])

    def _limit_wait(self, oldest_at: float) -> None:
        """Set how long this group may wait for a lock that another program holds."""
        age_ms = int((time.monotonic() - oldest_at) * 1_000)
        limit_ms = max(0, self._lock_timeout_ms - max(age_ms, _NEW_MS))
        if limit_ms != self._busy_timeout_ms:
            self._connection.execute(f"PRAGMA busy_timeout = {limit_ms}")
            self._busy_timeout_ms = limit_ms

    def _connect(self, is_kept: Callable[[], bool] | None = None) -> "sqlite3.Connection":
        return connect(
            self._path,
            writer=True,
            durability=self._durability,
            busy_timeout_ms=self._usual_wait_ms,
            is_kept=is_kept,
        )

    def _reopen(self) -> HistoryError | None:
        """Open another connection: one whose sync failed may hold pages that are not on the disk.

        Returns:
            Why there is none, so that nothing may be written; the next commit begins with another attempt.
        """
        try:
            fresh = self._connect(self.guard.is_kept)
        except HistoryError as error:
            return error
        self._connection.close()
        self._connection = fresh
        self._is_broken = False
        self._busy_timeout_ms = self._usual_wait_ms
        self._model_ids.clear()
        return None
