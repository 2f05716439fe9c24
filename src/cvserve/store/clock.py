"""The times of rows: they rise with the ids, also where the clock was set back.

`since` and `until` are found by bisection, which needs rising times. A clock that falls by less than a minute, as one
that is corrected does, is waited for: rows get the newest time that there is. One that falls by more was wrong before
or is wrong now. Nobody can tell which, so the row gets the clock's time, and its id is noted in `clock_steps`: between
two of these ids times rise.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from cvserve.store.sqlite import sqlite3
from cvserve.timestamps import format_timestamp

_WAITED_FOR = timedelta(minutes=1)


class Clock:
    """Gives the rows of one connection their times.

    Args:
        now: the time as text; default: the clock of the machine.
    """

    def __init__(self, now: Callable[[], str] = format_timestamp) -> None:
        self._now = now
        self._last_id = -1  # nothing is known
        self._last_time = ""

    def read(self) -> str:
        """The time for rows that are about to be written, as far as it can be told from those of this connection."""
        now = self._now()
        return self._last_time if now < self._last_time and _is_waited_for(self._last_time, now) else now

    def settle(self, connection: "sqlite3.Connection", first_id: int, created_at: str) -> str:
        """Make sure, in the transaction that has written rows, that their time is not before that of older rows.

        Args:
            connection: in the transaction.
            first_id: of the rows; those that follow were written with it.
            created_at: what `read` gave.

        Returns:
            The time that the rows have now.
        """
        # The usual case, in which nobody else has written since, costs no statement.
        last = self._last_time if first_id == self._last_id + 1 else _read_time_before(connection, first_id)
        if created_at >= last:
            return created_at
        if _is_waited_for(last, created_at):
            connection.execute("UPDATE predictions SET created_at = ? WHERE id >= ?", (last, first_id))
            return last
        connection.execute("INSERT INTO clock_steps (first_id) VALUES (?)", (first_id,))
        return created_at

    def note(self, last_id: int, created_at: str) -> None:
        """The rows are committed."""
        self._last_id, self._last_time = last_id, created_at


def _read_time_before(connection: "sqlite3.Connection", row_id: int) -> str:
    row = connection.execute(
        "SELECT created_at FROM predictions WHERE id < ? ORDER BY id DESC LIMIT 1", (row_id,)
    ).fetchone()
    return str(row[0]) if row else ""


def _is_waited_for(last: str, now: str) -> bool:
    try:
        return datetime.fromisoformat(last) - datetime.fromisoformat(now) < _WAITED_FOR
    except (ValueError, TypeError):
        return False
