"""Opening `cvserve.db`: who may read the file, what it must hold, and how connections are set."""

import contextlib
import os
import stat
import warnings
from collections.abc import Callable
from pathlib import Path

from cvserve.errors import CannotStart, HistoryUnavailable, Unsafe
from cvserve.files import make_folders
from cvserve.store.migrations import MIGRATION_SET, list_migrations, load_migrations
from cvserve.store.place import SUFFIXES
from cvserve.store.sqlite import SAFE_VERSION, sqlite3, to_history_error, translate_errors

_BUSY_TIMEOUT_MS = 5_000
_AUTOCHECKPOINT_PAGES = 1_000
JOURNAL_SIZE_BYTES = 64 * 1024**2
_SMALLEST_DATABASE_BYTES = 512


class OldSqliteWarning(UserWarning):
    """Warns that the SQLite library has the WAL-reset bug, which can damage a database that several programs write."""


def prepare_database(path: Path) -> None:
    """Make the file if there is none, check it if there is, and bring its tables up to date.

    A file that is refused is left as it was.

    Raises:
        Unsafe: it is a link or no regular file, or others can read it.
        CannotStart: the folder cannot be written, or the database is newer than this program.
        HistoryUnavailable: the file is no database of cvserve, or it is damaged.
    """
    if sqlite3.sqlite_version_info < SAFE_VERSION:
        warnings.warn(
            f"SQLite {sqlite3.sqlite_version} can damage a database that several programs write; "
            "3.51.3 or newer is safe.",
            OldSqliteWarning,
            stacklevel=2,
        )
    _make_file(path)
    check_file(path)
    _check_writable(path)
    with translate_errors():
        known = _read_migrations(path)
    if known is None:
        raise HistoryUnavailable(f"'{path.name}' is a database of another program; use another folder (--home).")
    steps = list_migrations()
    if unknown := [name for name in known if name not in steps]:
        raise CannotStart(f"'{path.name}' was written by a newer cvserve (it knows '{unknown[0]}'); upgrade cvserve.")
    if tuple(known) != steps:
        _migrate(path)


def check_file(path: Path) -> None:
    """Refuse a file that others can read or that is not what it seems.

    Raises:
        Unsafe: it, `-wal` or `-shm` is a link or no regular file; it is somebody else's, or others can read it.
        HistoryUnavailable: it is too small for a database, or this user cannot read it.
    """
    status = os.lstat(path)
    for suffix in SUFFIXES:
        _check_kind(path.with_name(f"{path.name}{suffix}"))
    if status.st_uid not in (os.geteuid(), 0):
        raise Unsafe(f"'{path.name}' belongs to another user; use another folder (--home).")
    if status.st_mode & 0o077:
        mode = f"{stat.S_IMODE(status.st_mode):04o}"
        raise Unsafe(f"'{path.name}' can be read by others (mode {mode}); run: chmod 600 {path.name}")
    if 0 < status.st_size < _SMALLEST_DATABASE_BYTES:  # SQLite takes a file of one byte for an empty one
        raise _make_not_a_database(path)
    if not os.access(path, os.R_OK):
        raise HistoryUnavailable(f"'{path.name}' cannot be read; check its owner and mode.")


def _check_kind(path: Path) -> None:
    """Refuse what has a second name: SQLite would write over whatever that is the name of."""
    with contextlib.suppress(FileNotFoundError):
        status = os.lstat(path)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
            raise Unsafe(f"'{path.name}' is a link or no regular file; move it away, or use another folder (--home).")


def connect(
    path: Path,
    *,
    writer: bool = False,
    durability: str = "full",
    busy_timeout_ms: int = _BUSY_TIMEOUT_MS,
    is_kept: Callable[[], bool] | None = None,
) -> "sqlite3.Connection":
    """A connection in autocommit mode with our settings; `docs/architecture.md` says why each. It makes no file.

    Args:
        path: a prepared database.
        writer: whether this is the one connection of a server that also moves the WAL into the file.
        durability: `full` syncs every commit; `normal` leaves that to the checkpoint and a timer.
        busy_timeout_ms: how long a statement waits for somebody else's lock.
        is_kept: whether the path still leads to the file that other connections of this process have open. On another
            file SQLite would take their `-shm` for an old one, cut it off, and so end the process (SIGBUS): locks do
            not tell two connections of one process apart.

    Raises:
        HistoryError: it cannot be opened, or it is not there.
    """
    with translate_errors():
        connection = sqlite3.connect(
            _to_uri(path, "mode=rw"),
            uri=True,
            timeout=busy_timeout_ms / 1000,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            if is_kept is not None and not is_kept():  # SQLite opens the other files with the first statement
                raise HistoryUnavailable(f"'{path.name}' was moved or replaced.")
            _set_up(connection, writer, durability)
        except BaseException:
            connection.close()
            raise
    return connection


def connect_reader(path: Path, is_kept: Callable[[], bool] | None = None) -> "sqlite3.Connection":
    """A connection that can change nothing (`query_only`), for readers beside a writer.

    Args:
        path: a prepared database.
        is_kept: as for `connect`.

    Raises:
        HistoryError: it cannot be opened, or it is not there.
    """
    connection = connect(path, is_kept=is_kept)
    connection.execute("PRAGMA query_only = ON")
    return connection


def _set_up(connection: "sqlite3.Connection", writer: bool, durability: str) -> None:
    for pragma in (
        "journal_mode = WAL",
        f"synchronous = {'FULL' if durability == 'full' else 'NORMAL'}",
        "foreign_keys = ON",
        "trusted_schema = OFF",
        "mmap_size = 0",
        f"journal_size_limit = {JOURNAL_SIZE_BYTES}",
        f"wal_autocheckpoint = {_AUTOCHECKPOINT_PAGES if writer else 0}",
    ):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("SELECT 1 FROM sqlite_master").fetchall()  # opens -wal and -shm now and not with the first row


def _make_not_a_database(path: Path) -> HistoryUnavailable:
    return HistoryUnavailable(f"'{path.name}' is not a database; move it away, or use another folder (--home).")


def _make_file(path: Path) -> None:
    """An empty file that nobody else could read even for a moment; SQLite gives -wal and -shm its mode."""
    folder = path.parent
    try:
        make_folders(folder)
        status = folder.stat()
        if status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX:
            raise Unsafe(f"The folder '{folder}' can be written by everybody; use another one (--home).")
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        if not folder.is_dir():
            raise CannotStart(f"'{folder}' is not a folder; name another one (--home).") from None
    except OSError as error:
        raise CannotStart(f"'{folder}' cannot hold the history: {error.strerror}; name another one (--home).") from None


def _check_writable(path: Path) -> None:
    if not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK):
        raise CannotStart(f"'{path.parent}' cannot hold the history: it is read-only; name another one (--home).")


def _read_migrations(path: Path) -> list[str] | None:
    """Names of the migrations in the file, in order; None when the tables are somebody else's.

    Only SQLite may open the file: to close a descriptor of our own would drop the locks that other connections
    of this process hold on it (sqlite.org/howtocorrupt.html, section 2.2).
    """
    wal = path.with_name(f"{path.name}-wal")
    # Without a WAL the file is all there is, and a look at it need not leave -wal and -shm behind.
    mode = "mode=ro" if wal.exists() else "immutable=1"
    connection = sqlite3.connect(_to_uri(path, mode), uri=True)
    try:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if "_sqlite_migrations" not in tables:
            return None if tables else []
        rows = connection.execute(
            "SELECT name FROM _sqlite_migrations WHERE migration_set = ? ORDER BY rowid", [MIGRATION_SET]
        ).fetchall()
        return [row[0] for row in rows] or (None if tables - {"_sqlite_migrations", "sqlite_sequence"} else [])
    except sqlite3.DatabaseError as error:
        if mode != "mode=ro" and wal.exists():
            return _read_migrations(path)  # somebody began to write just now
        if getattr(error, "sqlite_errorname", "") != "SQLITE_NOTADB":
            raise
        raise _make_not_a_database(path) from None
    finally:
        connection.close()


def _to_uri(path: Path, mode: str) -> str:
    """A name for SQLite that says how to open the file; a bare name would make a file where there is none."""
    name = path.absolute().as_posix().replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    return f"file:{name}?{mode}"


def _migrate(path: Path) -> None:
    migrate = load_migrations()
    connection = connect(path, writer=True)
    try:
        # One lock around all steps: two programs may find the same old file at the same moment.
        connection.execute("BEGIN IMMEDIATE")
        migrate(connection)
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise to_history_error(error) from error
    finally:
        connection.close()
