"""Reading predictions: filters, paging by id, counts. Every read is short, so that it never pins the WAL."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvserve.store.columns import SELECT, HistoryRow, read_row
from cvserve.store.database import connect_reader
from cvserve.store.schema import HIDDEN_SOURCE
from cvserve.store.sqlite import translated
from cvserve.store.transaction import NO_TOKEN

PAGE = 1_000


@dataclass(frozen=True, slots=True)
class Query:
    """Which predictions, and in which order.

    Attributes:
        limit: rows at most; None for all.
        after, before: ids, exclusive.
        descending: newest first; default: oldest first.
        label, model, source: exact; rows of source `loadtest` show only when asked for.
        min_score: 0…1, inclusive.
        since, until: timestamps as in the table; from (inclusive) and to (exclusive).
        token_id: only rows of this token.
    """

    limit: int | None = None
    after: int | None = None
    before: int | None = None
    descending: bool = False
    label: str | None = None
    model: str | None = None
    source: str | None = None
    min_score: float | None = None
    since: str | None = None
    until: str | None = None
    token_id: int | None = None

    def following(self, last_id: int) -> "Query":
        """The same from behind the row `last_id`."""
        if self.descending:
            return dataclasses.replace(self, before=last_id)
        return dataclasses.replace(self, after=last_id)

    @property
    def is_filtered(self) -> bool:
        """Whether anything but the owner and the page narrows the rows."""
        names = ("label", "model", "source", "min_score", "since", "until")
        return any(getattr(self, name) is not None for name in names)


class PredictionReader:
    """One reading connection; use it from one thread at a time.

    Args:
        path: a prepared database.
    """

    def __init__(self, path: Path) -> None:
        self._connection = connect_reader(path)

    def close(self) -> None:
        """Give the file back."""
        self._connection.close()

    def get(self, prediction_id: int, token_id: int | None = None) -> HistoryRow | None:
        """One row, or None; with `token_id` only if it is that token's."""
        sql, values = f"{SELECT} WHERE p.id = ?", [prediction_id]
        if token_id is not None:
            sql, values = f"{sql} AND p.token_id = ?", [prediction_id, token_id]
        with translated():
            row = self._connection.execute(sql, values).fetchone()
        return None if row is None else read_row(row)

    def page(self, query: Query) -> list[HistoryRow]:
        """The first rows of `query`, at most `PAGE` of them or its limit."""
        where, values = self._where(query)
        order = "DESC" if query.descending else "ASC"
        limit = PAGE if query.limit is None else min(query.limit, PAGE)
        # INDEXED BY is not needed: every index ends in the id, so each gives the order for free.
        sql = f"{SELECT} WHERE {where} ORDER BY p.id {order} LIMIT ?"
        with translated():
            rows = self._connection.execute(sql, [*values, limit]).fetchall()
        return [read_row(row) for row in rows]

    def pages(self, query: Query) -> Iterator[list[HistoryRow]]:
        """All pages of `query`, each a read of its own; rows that come meanwhile are left out."""
        query = self.bounded(query)
        left = query.limit
        while True:
            page = self.page(dataclasses.replace(query, limit=left))
            if page:
                yield page
            left = None if left is None else left - len(page)
            if len(page) < PAGE or left == 0:
                return
            query = query.following(page[-1].id)

    def bounded(self, query: Query) -> Query:
        """`query` with times turned into ids and an upper end, so that its pages fit together."""
        newest = self._one("SELECT max(id) FROM predictions") or 0
        after, before = query.after, query.before
        before = min(before, newest + 1) if before is not None else newest + 1
        if query.since is not None:
            after = max(after or 0, self._first_since(query.since, newest) - 1)
        if query.until is not None:
            before = min(before, self._first_since(query.until, newest))
        return dataclasses.replace(query, after=after, before=before)

    def count(self, query: Query) -> int:
        """How many rows `query` has, its limit and page left aside."""
        if not query.is_filtered:
            return self._counted(query.token_id)
        everything = dataclasses.replace(query, after=None, before=None)
        where, values = self._where(self.bounded(everything))
        return self._one(f"SELECT count(*) FROM predictions p WHERE {where}", values)

    def _counted(self, token_id: int | None) -> int:
        """From the counters that each commit keeps, without looking at rows."""
        if token_id is None:
            return self._one("SELECT total(predictions) FROM token_usage")
        return self._one("SELECT total(predictions) FROM token_usage WHERE token_id = ?", [token_id or NO_TOKEN])

    def _where(self, query: Query) -> tuple[str, list[Any]]:
        conditions = {
            "p.id > ?": query.after,
            "p.id < ?": query.before,
            "p.label = ?": query.label,
            "p.source = ?": query.source,
            "p.score >= ?": query.min_score,
            "p.created_at >= ?": query.since,
            "p.created_at < ?": query.until,
            "p.token_id = ?": query.token_id,
        }
        parts = {sql: value for sql, value in conditions.items() if value is not None}
        if query.source is None:
            parts["p.source <> ?"] = HIDDEN_SOURCE
        if query.model is not None:
            ids = self._rows("SELECT id FROM models WHERE name = ? OR version = ?", [query.model] * 2)
            marks = ", ".join("?" * len(ids))
            return " AND ".join([*parts, f"p.model_id IN ({marks})"]), [*parts.values(), *(row[0] for row in ids)]
        return " AND ".join(parts), list(parts.values())

    def _first_since(self, moment: str, newest: int) -> int:
        """Id of the first row at or after `moment`, by bisection: ids and times rise together."""
        low, high = 1, newest + 1
        while low < high:
            middle = (low + high) // 2
            row = self._rows("SELECT id, created_at FROM predictions WHERE id >= ? ORDER BY id LIMIT 1", [middle])
            if row and row[0][1] < moment:
                low = int(row[0][0]) + 1
            else:
                high = middle
        return low

    def _one(self, sql: str, values: list[Any] | None = None) -> int:
        rows = self._rows(sql, values or [])
        return int(rows[0][0] or 0)

    def _rows(self, sql: str, values: list[Any]) -> list[tuple[Any, ...]]:
        with translated():
            return self._connection.execute(sql, values).fetchall()
