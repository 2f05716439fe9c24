"""The SQLite that all of cvserve talks to, and its errors as `HistoryError`.

Debian's and Python's own SQLite may still have the WAL-reset bug (3.7.0 to 3.51.2, sqlite.org/wal.html):
`pysqlite3` brings a newer one where it has a wheel, and sqlite-utils picks the same module. Two different
SQLite libraries in one process would drop each other's file locks.
"""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
else:
    try:
        import pysqlite3 as sqlite3
    except ImportError:
        import sqlite3

from cvserve.errors import HistoryError, HistoryUnavailable, StorageFull

__all__ = ["SAFE_VERSION", "sqlite3", "to_history_error", "translate_errors"]

SAFE_VERSION = (3, 51, 3)
_FULL = ("SQLITE_FULL",)
_LOCKED = ("SQLITE_BUSY", "SQLITE_LOCKED")
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB")


def to_history_error(error: "sqlite3.Error | OSError") -> HistoryError:
    """The error of `errors/` that stands for an error of SQLite: full, locked, damaged, or not to be used now.

    Its text is ours: SQLite's own may hold paths and SQL, which no client should see.
    """
    name = getattr(error, "sqlite_errorname", "") or ""
    if name.startswith(_FULL):
        return StorageFull("There is no space left for the history; free some and send the request again.")
    if name.startswith(_LOCKED):
        return HistoryUnavailable("The history is locked by another program; try again in a moment.")
    if name.startswith(_DAMAGED):
        return HistoryUnavailable("The history is damaged; restore cvserve.db from a backup.")
    return HistoryUnavailable("The history cannot be read or written at the moment.")


@contextlib.contextmanager
def translate_errors() -> Iterator[None]:
    """Raise `HistoryError` in place of any `sqlite3.Error` of the block, so that callers need not know SQLite.

    Raises:
        HistoryError: as `to_history_error` chooses.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise to_history_error(error) from error
