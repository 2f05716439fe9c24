"""The write-ahead log (WAL): synced to the disk, and kept from growing while many read."""

import os
from pathlib import Path

from cvserve.logs.events import log_seldom
from cvserve.store.gate import Gate
from cvserve.store.guard import Guard
from cvserve.store.sqlite import sqlite3

# The usual length is 4 MB. Past this one no read may begin for a moment, at most for about as long as a scan may take.
LONG_WAL_BYTES = 16 * 1024**2
_FRAME_BYTES = 4_096 + 24
_GATE_LIMIT_S = 3.0
_WAIT_MS = 50


class WriteAheadLog:
    """For the writer's thread.

    Args:
        path: of the database.
        guard: is told that `cvserve.db` was written.
        gate: is passed by reads that may take long.
    """

    def __init__(self, path: Path, guard: Guard, gate: Gate) -> None:
        self._path = path
        self._guard = guard
        self._gate = gate

    def sync(self) -> bool:
        """Sync the WAL to the disk; False when that failed and is to be tried again."""
        try:
            descriptor = os.open(f"{self._path}-wal", os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except FileNotFoundError:
            return True
        except OSError as error:
            log_seldom("sync", "ERROR", "history: the WAL cannot be synced: {}", error.strerror)
            return False
        return True

    def keep_short(self, connection: "sqlite3.Connection") -> None:
        """Stop new scans for a moment where they have kept the WAL from beginning anew; to be called once a second."""
        if self._guard.wal_bytes <= LONG_WAL_BYTES or self._gate.closed_s is not None:
            return
        try:
            # A WAL that has begun anew keeps its size: only SQLite knows how much of it is in use.
            _, frames, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except sqlite3.Error:
            return  # the next commit says why
        self._guard.note_write()
        if frames * _FRAME_BYTES > LONG_WAL_BYTES:
            self._gate.close()

    def begin_anew_if_calm(self, connection: "sqlite3.Connection") -> None:
        """Begin the WAL anew once the scans that were under way have ended, or give up for this time."""
        closed_s = self._gate.closed_s
        if closed_s is None or not (self._gate.is_empty or closed_s > _GATE_LIMIT_S):
            return
        try:
            wait_ms = connection.execute("PRAGMA busy_timeout").fetchone()[0]
            connection.execute(f"PRAGMA busy_timeout = {_WAIT_MS}")
            connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
            connection.execute(f"PRAGMA busy_timeout = {wait_ms}")
            self._guard.note_write()
        except sqlite3.Error as error:
            log_seldom("begin anew", "WARNING", "history: the WAL cannot begin anew: {}", error)
        finally:
            self._gate.open()
