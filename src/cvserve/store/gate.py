"""A gate that readers pass, and that the writer closes for a moment, so that the write-ahead log can begin anew.

SQLite writes over the WAL from its beginning only at a moment in which no read is under way. Readers that come one
after the other, each of them short, leave no such moment, and the WAL grows for as long as they come.
"""

import threading
import time
from types import TracebackType


class Gate:
    """Counts the reads that are under way; to be used around each as a context manager, from any thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._closed_at: float | None = None

    def __enter__(self) -> None:
        """Wait while the gate is closed, then count one read more."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed_at is None)
            self._inside += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._inside -= 1

    @property
    def is_empty(self) -> bool:
        """Whether no read is under way."""
        return self._inside == 0

    @property
    def closed_s(self) -> float | None:
        """For how many seconds the gate has been closed; None while it is open."""
        return None if self._closed_at is None else time.monotonic() - self._closed_at

    def close(self) -> None:
        """Let no further read begin."""
        self._closed_at = time.monotonic()

    def open(self) -> None:
        """Let reads begin again."""
        with self._changed:
            self._closed_at = None
            self._changed.notify_all()
