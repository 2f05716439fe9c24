"""What is known of an open database's condition: that its files are in their place, and that nobody saw damage.

One `Guard` belongs to one writer. The writer asks it around each commit; readers tell it what they saw; whoever wants
to know whether the history can be used looks at `fault`.
"""

import threading
import time
from pathlib import Path

from cvserve.errors import HistoryDamaged, HistoryError, HistoryUnavailable
from cvserve.store.database import JOURNAL_SIZE_BYTES, connect_reader
from cvserve.store.place import Change, Place
from cvserve.store.sqlite import DAMAGED, sqlite3, to_history_error

# A check reads the whole file: after one that found something the next one comes so much later.
_PAUSE_S = 1.0
_PAUSE_FACTOR = 20.0
_MOVED = "cvserve.db was moved, removed or replaced while the server runs; put it back, or restart the server."
_SUSPECTED = "The history seems to be damaged and is being checked; try again in a moment."


class Guard:
    """Watches the files of one database for its writer.

    Args:
        path: a database that a connection has open and has read.
        pause_s: at least so long after a check of the whole file comes the next one.

    Attributes:
        fault: why the history cannot be used now; None while it can.
    """

    def __init__(self, path: Path, *, pause_s: float = _PAUSE_S) -> None:
        self.fault: HistoryError | None = None
        self._place = Place(path, JOURNAL_SIZE_BYTES)
        self._connection = connect_reader(path, self._place.is_kept)
        self._pause_s = pause_s
        self._next_check_at = 0.0
        self._is_suspected = False
        self._is_written = False
        self._damage: HistoryError | None = None
        self._lock = threading.Lock()  # one check at a time
        self._aside: threading.Thread | None = None

    @property
    def wal_bytes(self) -> int:
        """Size of the write-ahead log (WAL) when the writer last looked."""
        return self._place.wal_bytes

    def is_kept(self) -> bool:
        """Whether the names still lead to the files that are open."""
        return self._place.is_kept()

    def suspect(self) -> None:
        """Somebody saw damage: nothing is written before the whole file was checked. From any thread."""
        self._is_suspected = True
        self.fault = self.fault or HistoryDamaged(_SUSPECTED)

    def look(self, *, is_own_write: bool = False) -> HistoryError | None:
        """Find out whether the history can be used; for the writer's thread, before and after each commit.

        Args:
            is_own_write: nobody but the writer has had the time to write since the last look.

        Returns:
            Why not, which is then `fault` too; None if it can.
        """
        change = self._place.look(is_own_write=is_own_write)
        if change is Change.MOVED:
            self.fault = HistoryUnavailable(_MOVED)
            return self.fault
        if change is Change.SHORTER:
            self._is_suspected, self._next_check_at = True, 0.0
        self._is_written = self._is_written or change is Change.WRITTEN
        if (self._is_suspected or self._is_written or self._damage) and time.monotonic() >= self._next_check_at:
            if self._is_suspected or self._damage:
                self._check()
            else:
                self._check_aside()
        self.fault = self._damage
        return self.fault

    def note_write(self) -> None:
        """The writer has written into `cvserve.db` outside of a commit: it moved the WAL into the file."""
        if self._place.look(is_own_write=True) is Change.SHORTER:
            self._is_suspected = True

    def close(self) -> None:
        """Stop a check that runs, and close the connection."""
        if self._aside is not None:
            self._connection.interrupt()
            self._aside.join()
            self._aside = None
        self._connection.close()

    def _check_aside(self) -> None:
        """Check the file while the writer goes on: a tool that moves the WAL into the file does no harm."""
        if self._aside is None or not self._aside.is_alive():
            self._aside = threading.Thread(target=self._check, name="cvserve-check", daemon=True)
            self._aside.start()

    def _check(self) -> None:
        """Read the whole file and note whether it is well."""
        with self._lock:
            self._is_suspected = self._is_written = False
            begin = time.monotonic()
            self._damage = self._find_damage()
            now = time.monotonic()
            self._next_check_at = now + max(self._pause_s, _PAUSE_FACTOR * (now - begin))

    def _find_damage(self) -> HistoryError | None:
        try:
            self._connection.execute("PRAGMA shrink_memory")  # the file is to be read, not what is remembered of it
            found = self._connection.execute("PRAGMA quick_check(1)").fetchall()
        except sqlite3.Error as error:
            return to_history_error(error)
        return None if found == [("ok",)] else HistoryDamaged(DAMAGED)
