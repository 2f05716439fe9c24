"""The table `loadtests`: a row for each run of `cvserve loadtest`, with its whole report."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cvserve.store.sqlite import sqlite3

_COLUMNS = (
    "target", "mode", "is_partial", "requests", "failures", "rps", "p50_ms", "p95_ms", "p99_ms",
    "capacity_rps", "knee_users", "limited_by",
)  # fmt: skip


def add_run(connection: "sqlite3.Connection", created_at: str, numbers: Mapping[str, Any], report: str) -> int:
    """Store one run.

    Args:
        connection: in autocommit mode.
        created_at: when it began.
        numbers: by name what has a column of its own: `_COLUMNS`.
        report: the whole report, JSON.

    Returns:
        Its id, from 1.

    Raises:
        sqlite3.Error: it was not stored.
    """
    names = ", ".join(("created_at", *_COLUMNS, "report"))
    marks = ", ".join("?" * (len(_COLUMNS) + 2))
    values = (created_at, *(numbers[name] for name in _COLUMNS), report)
    row = connection.execute(f"INSERT INTO loadtests ({names}) VALUES ({marks}) RETURNING id", values).fetchall()
    return int(row[0][0])


def list_runs(connection: "sqlite3.Connection") -> list[tuple[int, str]]:
    """Id and report (JSON) of every run, oldest first."""
    return connection.execute("SELECT id, report FROM loadtests ORDER BY id").fetchall()


def read_run(connection: "sqlite3.Connection", run_id: int | None) -> str | None:
    """The report (JSON) of one run, or without an id of the last complete one; None when there is none."""
    if run_id is None:
        sql, values = "SELECT report FROM loadtests WHERE NOT is_partial ORDER BY id DESC LIMIT 1", ()
    else:
        sql, values = "SELECT report FROM loadtests WHERE id = ?", (run_id,)  # type: ignore[assignment]
    row = connection.execute(sql, values).fetchone()
    return None if row is None else str(row[0])
