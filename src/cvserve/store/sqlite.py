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

from cvserve.errors import HistoryDamaged, HistoryError, HistoryUnavailable, StorageFull

__all__ = [
    "DAMAGED",
    "SAFE_VERSION",
    "breaks_connection",
    "is_doubtful",
    "is_unbindable",
    "sqlite3",
    "to_history_error",
    "translate_errors",
]

SAFE_VERSION = (3, 51, 3)
DAMAGED = "The history is damaged; restore cvserve.db from a backup."
_FULL = ("SQLITE_FULL",)
_LOCKED = ("SQLITE_BUSY", "SQLITE_LOCKED")
_KEEPS_CONNECTION = ("SQLITE_BUSY", "SQLITE_FULL")  # to open another would wait for the same lock once more
_DOUBTFUL = ("SQLITE_IOERR", "SQLITE_CORRUPT", "SQLITE_NOTADB")
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
        return HistoryDamaged(DAMAGED)
    return HistoryUnavailable("The history cannot be read or written at the moment.")


def is_unbindable(error: "sqlite3.Error") -> bool:
    """Whether the fault is not the database's but a value's, of a type that SQLite does not know."""
    kinds = (sqlite3.InterfaceError, sqlite3.ProgrammingError)  # which of them depends on the version of Python
    return not isinstance(error, sqlite3.Error) or (
        isinstance(error, kinds) and "Error binding parameter" in str(error)
    )


def breaks_connection(error: "sqlite3.Error") -> bool:
    """Whether another connection is better than this one; after other errors it is as good as before."""
    return getattr(error, "sqlite_errorname", "") not in _KEEPS_CONNECTION


def is_doubtful(error: "sqlite3.Error") -> bool:
    """Whether it is not known, after this error, what is in the file."""
    return (getattr(error, "sqlite_errorname", "") or "").startswith(_DOUBTFUL)


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
