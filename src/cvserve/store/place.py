"""Whether `cvserve.db`, `-wal` and `-shm` are still the files that this process has open, and still whole.

Whoever removes or replaces a file that a program has open leaves the program with the old one: it goes on writing to
what nobody will ever find again, and SQLite does not say so. The names are compared with the files, therefore: by
device and inode, by size and by time of the last change. That takes a few microseconds and opens nothing: to close a
descriptor of our own would drop the locks of all connections (sqlite.org/howtocorrupt.html, section 2.2).
"""

import os
from enum import Enum
from pathlib import Path

SUFFIXES = ("", "-wal", "-shm")
_BLOCK_BYTES = 512  # of `st_blocks`, whatever the file system


class Change(Enum):
    """What became of the files since the last look."""

    NONE = "none"
    MOVED = "moved"  # a name is gone, or it is the name of another file now
    SHORTER = "shorter"  # a file has lost bytes that it had
    WRITTEN = "written"  # somebody else has written into `cvserve.db` itself


class Place:
    """The names of an open database, and which files they were.

    Args:
        path: a database that a connection of this process has open and has read, so that all three files are there.
        wal_limit_bytes: a WAL that was longer is cut to this size when it begins anew; that is no loss.

    Attributes:
        wal_bytes: size of the WAL at the last look.

    Raises:
        OSError: a file is not there.
    """

    def __init__(self, path: Path, wal_limit_bytes: int) -> None:
        self._names = tuple(f"{path}{suffix}" for suffix in SUFFIXES)
        self._wal_limit_bytes = wal_limit_bytes
        database, wal, shm = map(os.stat, self._names)
        self._wal_blocks = wal.st_blocks
        self._device = database.st_dev
        self._inodes = database.st_ino, wal.st_ino, shm.st_ino
        self._database_bytes, self._written_ns, self.wal_bytes = database.st_size, database.st_mtime_ns, wal.st_size

    def is_kept(self) -> bool:
        """Whether all names still lead to the files that were there at first."""
        try:
            statuses = tuple(map(os.stat, self._names))
        except OSError:
            return False
        return tuple(status.st_ino for status in statuses) == self._inodes and statuses[0].st_dev == self._device

    def look(self, *, is_own_write: bool = False) -> Change:
        """Compare the names with the files.

        Args:
            is_own_write: this process alone has written since the last look, so that only a loss is a change. Without
                that, a new time of change is somebody else's: nobody but us moves the WAL into the file.
        """
        try:
            database, wal, shm = map(os.stat, self._names)
        except OSError:
            return Change.MOVED
        if (database.st_ino, wal.st_ino, shm.st_ino) != self._inodes or database.st_dev != self._device:
            return Change.MOVED
        # A WAL that was cut off and then written to has its old size and a hole.
        has_hole = wal.st_blocks < self._wal_blocks and 2 * wal.st_blocks * _BLOCK_BYTES < wal.st_size
        self._wal_blocks = wal.st_blocks
        if database.st_mtime_ns == self._written_ns and wal.st_size >= self.wal_bytes and not has_hole:
            self.wal_bytes = wal.st_size
            return Change.NONE  # the usual case
        is_shorter = (
            has_hole
            or database.st_size < self._database_bytes
            or wal.st_size < min(self.wal_bytes, self._wal_limit_bytes)
        )
        is_written = database.st_mtime_ns != self._written_ns and not is_own_write
        self._database_bytes, self._written_ns, self.wal_bytes = database.st_size, database.st_mtime_ns, wal.st_size
        if is_shorter:
            return Change.SHORTER
        return Change.WRITTEN if is_written else Change.NONE
