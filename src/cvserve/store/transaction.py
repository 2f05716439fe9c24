"""Writing predictions in one short transaction, for the server's writer and for everybody else."""

from collections import Counter
from collections.abc import Sequence

from cvserve.store.rows import ModelKey, NewRow, Stored, timestamp
from cvserve.store.schema import HIDDEN_SOURCE, PREDICTION_COLUMNS
from cvserve.store.sqlite import sqlite3

_INSERT = (
    f"INSERT INTO predictions ({', '.join(PREDICTION_COLUMNS)}) "  # names of our own
    f"VALUES ({', '.join('?' * len(PREDICTION_COLUMNS))})"
)
_COUNT = (
    "INSERT INTO token_usage (token_id, predictions, last_used_at) VALUES (?, ?, ?) ON CONFLICT (token_id) "
    "DO UPDATE SET predictions = predictions + excluded.predictions, last_used_at = excluded.last_used_at"
)
NO_TOKEN = 0  # the key in `token_usage` of rows without a token
_PROBE = -1


def insert_rows(
    connection: "sqlite3.Connection", rows: Sequence[NewRow], model_ids: dict[ModelKey, int]
) -> list[Stored]:
    """Store all rows or none, and answer with their ids in the same order.

    `BEGIN IMMEDIATE` takes the write lock at once: a transaction that reads first and then wants to write
    would fail without waiting (SQLITE_BUSY_SNAPSHOT).

    Args:
        connection: in autocommit mode (`isolation_level=None`).
        rows: with none, only a mark is written, which shows whether the database can be written.
        model_ids: cache of ids in `models`, kept by the caller for this database.

    Raises:
        sqlite3.Error: nothing was stored.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        created_at = timestamp()
        stored = []
        for row in rows:
            model_id = model_ids.get(row.model) or _model_id(connection, row.model, created_at)
            cursor = connection.execute(_INSERT, row.values(model_id, created_at))
            stored.append(Stored(cursor.lastrowid or 0, created_at))
        shown = Counter(row.token_id or NO_TOKEN for row in rows if row.source != HIDDEN_SOURCE)
        counts = [(token_id, count, created_at) for token_id, count in shown.items()]
        connection.executemany(_COUNT, counts if rows else [(_PROBE, 0, created_at)])
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    for row in rows:
        if row.model not in model_ids:
            model_ids[row.model] = _find_model(connection, row.model)
    return stored


def _model_id(connection: "sqlite3.Connection", model: ModelKey, created_at: str) -> int:
    connection.execute(
        "INSERT OR IGNORE INTO models (name, sha256, version, format, created_at) VALUES (?, ?, ?, ?, ?)",
        (*model, created_at),
    )
    return _find_model(connection, model)


def _find_model(connection: "sqlite3.Connection", model: ModelKey) -> int:
    row = connection.execute("SELECT id FROM models WHERE name = ? AND sha256 = ?", model[:2]).fetchone()
    return int(row[0])
