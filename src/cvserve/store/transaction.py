"""The statements that write predictions, from BEGIN to COMMIT; `writer.py` decides which requests share them."""

from collections.abc import Sequence
from itertools import chain
from operator import itemgetter
from typing import Any

from cvserve.store.clock import Clock
from cvserve.store.columns import ADDED_BY_TRANSACTION, GIVEN
from cvserve.store.rows import ModelKey, NewRow, Stored
from cvserve.store.sources import HIDDEN_SOURCE
from cvserve.store.sqlite import sqlite3

# SQLite lets go of the interpreter's lock for each statement, and getting it back from a busy event loop takes longer
# than the statement: a group goes in by this many rows at once.
_ROWS_AT_ONCE = (16, 4, 1)
_COLUMNS = (*ADDED_BY_TRANSACTION, *GIVEN)
_get_given = itemgetter(*GIVEN)
_INTO = f"INSERT INTO predictions ({', '.join(_COLUMNS)}) VALUES "  # names of our own
_ROW = f"({', '.join('?' * len(_COLUMNS))})"
_INSERTS = {rows: _INTO + ", ".join([_ROW] * rows) for rows in _ROWS_AT_ONCE}
_COUNT = (
    "INSERT INTO token_usage (token_id, predictions, last_used_at) VALUES (?, ?, ?) ON CONFLICT (token_id) "
    "DO UPDATE SET predictions = predictions + excluded.predictions, last_used_at = excluded.last_used_at"
)
NO_TOKEN = 0  # the key in `token_usage` of rows without a token
_PROBE = -1


def insert_rows(
    connection: "sqlite3.Connection",
    rows: Sequence[NewRow],
    model_ids: dict[ModelKey, int],
    clock: Clock | None = None,
) -> list[Stored]:
    """Store all rows or none, and answer with their ids in the same order.

    `BEGIN IMMEDIATE` takes the write lock at once: a transaction that reads first and then wants to write
    would fail without waiting (SQLITE_BUSY_SNAPSHOT).

    Args:
        connection: in autocommit mode (`isolation_level=None`).
        rows: with none, only a mark is written, which shows whether the database can be written.
        model_ids: cache of ids in `models`, kept by the caller for this database.
        clock: gives the rows their time; kept by the caller for this database too.

    Raises:
        sqlite3.Error: nothing was stored.
    """
    clock = clock or Clock()
    connection.execute("BEGIN IMMEDIATE")
    try:
        created_at = clock.read()
        new = {row.model for row in rows} - model_ids.keys()
        added = {model: _find_or_add_model(connection, model, created_at) for model in new}
        ids = model_ids | added if added else model_ids
        values = [(ids[row.model], created_at, *_get_given(row.values)) for row in rows]
        stored = _insert(connection, values, created_at)
        if stored and (settled := clock.settle(connection, stored[0].id, created_at)) != created_at:
            stored = [Stored(row.id, settled) for row in stored]
        counts = [(token_id, count, created_at) for token_id, count in _count_by_token(rows).items()]
        connection.executemany(_COUNT, counts if rows else [(_PROBE, 0, created_at)])
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    model_ids.update(added)
    if stored:
        clock.note(*stored[-1])
    return stored


def _count_by_token(rows: Sequence[NewRow]) -> dict[int, int]:
    counts: dict[int, int] = {}  # a Counter takes longer to make than one row to count
    for row in rows:
        if row.values["source"] != HIDDEN_SOURCE:
            token_id = row.values["token_id"] or NO_TOKEN
            counts[token_id] = counts.get(token_id, 0) + 1
    return counts


def _insert(connection: "sqlite3.Connection", values: list[tuple[Any, ...]], created_at: str) -> list[Stored]:
    stored: list[Stored] = []
    for rows in _ROWS_AT_ONCE:
        while len(values) - len(stored) >= rows:
            parameters = list(chain.from_iterable(values[len(stored) : len(stored) + rows]))
            last_id = connection.execute(_INSERTS[rows], parameters).lastrowid or 0
            # Nobody else writes meanwhile: the ids of one statement follow each other.
            stored += [Stored(row_id, created_at) for row_id in range(last_id - rows + 1, last_id + 1)]
    return stored


def _find_or_add_model(connection: "sqlite3.Connection", model: ModelKey, created_at: str) -> int:
    connection.execute(
        "INSERT OR IGNORE INTO models (name, sha256, version, format, created_at) VALUES (?, ?, ?, ?, ?)",
        (*model, created_at),
    )
    row = connection.execute("SELECT id FROM models WHERE name = ? AND sha256 = ?", model[:2]).fetchone()
    return int(row[0])
