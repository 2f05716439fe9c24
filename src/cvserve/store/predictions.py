"""Reading predictions: filters, paging by id, counts. Every read is short, so that it never pins the WAL."""

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from cvserve.errors import HistoryUnavailable
from cvserve.store.columns import JSON_SQL, SELECT, HistoryRow, read_row
from cvserve.store.database import connect_reader
from cvserve.store.moments import find_id_range
from cvserve.store.sources import HIDDEN_SOURCE
from cvserve.store.sqlite import translate_errors

PAGE = 1_000
_STEPS_BETWEEN_LOOKS = 1_000_000  # of SQLite's virtual machine: some 20 ms


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

    def continue_after(self, last_id: int) -> "Query":
        """This query for the rows that come after the row `last_id` in its order: the next page."""
        if self.descending:
            return dataclasses.replace(self, before=last_id)
        return dataclasses.replace(self, after=last_id)

    @property
    def is_filtered(self) -> bool:
        """Whether anything but `token_id` and the ids of a page leaves rows out."""
        names = ("label", "model", "source", "min_score", "since", "until")
        return any(getattr(self, name) is not None for name in names)


class JsonPage(NamedTuple):
    """Rows as JSON.

    Attributes:
        text: objects with commas between them, as UTF-8; empty where there are no rows.
        rows: how many.
        last_id: of the last row; 0 where there is none.
    """

    text: bytes
    rows: int
    last_id: int


class PredictionReader:
    """Reads predictions through a connection of its own that can change nothing; for one thread at a time.

    Args:
        path: a database that `prepare_database` has looked at.
        is_kept: whether the path still leads to the file that the writer of this process has open.
    """

    def __init__(self, path: Path, is_kept: Callable[[], bool] | None = None) -> None:
        self._connection = connect_reader(path, is_kept)
        self._is_stopped = False
        # An interrupt is not heard by a statement that begins just then; this is, a moment later.
        self._connection.set_progress_handler(lambda: self._is_stopped, _STEPS_BETWEEN_LOOKS)

    def close(self) -> None:
        """Close the connection; the reader cannot be used afterwards."""
        self._connection.close()

    def stop(self) -> None:
        """Interrupt the read that runs and let no further one begin; from any thread."""
        self._is_stopped = True
        self._connection.interrupt()

    def resume(self) -> None:
        """Let reads begin again."""
        self._is_stopped = False

    def get(self, prediction_id: int, token_id: int | None = None) -> HistoryRow | None:
        """One row, or None when there is none; with `token_id` only if it is that token's.

        Raises:
            HistoryError: the history cannot be read.
        """
        sql, values = f"{SELECT} WHERE p.id = ?", [prediction_id]
        if token_id is not None:
            sql, values = f"{sql} AND p.token_id = ?", [prediction_id, token_id]
        rows = self._read_rows(sql, values)
        return read_row(rows[0]) if rows else None

    def read_page(self, query: Query) -> list[HistoryRow]:
        """The first rows of `query`: its limit, but at most `PAGE`.

        Raises:
            HistoryError: the history cannot be read.
        """
        tail, values = self._build_tail(query)
        return [read_row(row) for row in self._read_rows(f"{SELECT} {tail}", values)]

    def read_json_page(self, query: Query) -> JsonPage:
        """The first rows of `query` as JSON: its limit, but at most `PAGE`.

        Raises:
            HistoryError: the history cannot be read.
        """
        tail, values = self._build_tail(query)
        last_id = "min(id)" if query.descending else "max(id)"
        made = f"SELECT p.id, {JSON_SQL} AS text FROM predictions p JOIN models m ON m.id = p.model_id {tail}"
        sql = f"SELECT CAST(group_concat(text, ',') AS BLOB), count(*), {last_id} FROM ({made})"
        text, rows, last = self._read_rows(sql, values)[0]
        return JsonPage(text or b"", rows, last or 0)

    def find_end(self, query: Query) -> tuple[int, bool]:
        """Where the rows of `query` end by its limit.

        Returns:
            The id of the last one, 0 where there is none, and whether there would be more without the limit.
        """
        where, values = self._build_where(query)
        order, last_id = ("DESC", "min(id)") if query.descending else ("ASC", "max(id)")
        ids = f"SELECT p.id FROM predictions p WHERE {where} ORDER BY p.id {order} LIMIT ?"
        last = self._read_number(f"SELECT {last_id} FROM ({ids})", [*values, query.limit])
        return last, last > 0 and self.has_more(query, last)

    def has_more(self, query: Query, last_id: int) -> bool:
        """Whether rows of `query` come after the row `last_id` in its order, whatever its limit."""
        where, values = self._build_where(query.continue_after(last_id))
        return bool(self._read_rows(f"SELECT 1 FROM predictions p WHERE {where} LIMIT 1", values))

    def read_pages(self, query: Query) -> Iterator[list[HistoryRow]]:
        """All rows of `query`, page by page, each page a short read of its own; rows that come meanwhile are left out.

        Raises:
            HistoryError: the history cannot be read.
        """
        query = self.fix_bounds(query)
        left = query.limit
        while True:
            page = self.read_page(dataclasses.replace(query, limit=left))
            if page:
                yield page
            left = None if left is None else left - len(page)
            if len(page) < PAGE or left == 0:
                return
            query = query.continue_after(page[-1].id)

    def fix_bounds(self, query: Query) -> Query:
        """`query` as a range of ids that no longer grows, so that its pages fit together.

        `since` and `until` become ids, and so does the newest row that is there now.
        """
        newest = self._read_number("SELECT max(id) FROM predictions") or 0
        after, before = query.after, query.before
        before = min(before, newest + 1) if before is not None else newest + 1
        if query.since is not None or query.until is not None:
            first, end = find_id_range(self._read_rows, query.since, query.until, newest)
            after, before = max(after or 0, first - 1), min(before, end)
        return dataclasses.replace(query, after=after, before=before)

    def count(self, query: Query) -> int:
        """How many rows `query` has without its limit, `after` and `before`.

        Without filters it costs nothing, since each commit counts; with filters the rows are counted.
        """
        if not query.is_filtered:
            return self._read_counters(query.token_id)
        everything = dataclasses.replace(query, after=None, before=None)
        where, values = self._build_where(self.fix_bounds(everything))
        return self._read_number(f"SELECT count(*) FROM predictions p WHERE {where}", values)

    def _read_counters(self, token_id: int | None) -> int:
        """The counters of `token_usage`, which each commit keeps; of one token, or of all."""
        if token_id is None:
            return self._read_number("SELECT total(predictions) FROM token_usage")
        return self._read_number("SELECT total(predictions) FROM token_usage WHERE token_id = ?", [token_id])

    def _build_tail(self, query: Query) -> tuple[str, list[Any]]:
        """From WHERE to LIMIT: one page of `query`, and the values for its marks."""
        where, values = self._build_where(query)
        order = "DESC" if query.descending else "ASC"
        limit = PAGE if query.limit is None else min(query.limit, PAGE)
        # INDEXED BY is not needed: every index ends in the id, so each gives the order for free.
        return f"WHERE {where} ORDER BY p.id {order} LIMIT ?", [*values, limit]

    def _build_where(self, query: Query) -> tuple[str, list[Any]]:
        """The condition of `query` in SQL, and the values for its marks."""
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
            ids = self._read_rows("SELECT id FROM models WHERE name = ? OR version = ?", [query.model] * 2)
            marks = ", ".join("?" * len(ids))
            return " AND ".join([*parts, f"p.model_id IN ({marks})"]), [*parts.values(), *(row[0] for row in ids)]
        return " AND ".join(parts), list(parts.values())

    def _read_number(self, sql: str, values: list[Any] | None = None) -> int:
        rows = self._read_rows(sql, values or [])
        return int(rows[0][0] or 0)

    def _read_rows(self, sql: str, values: list[Any]) -> list[tuple[Any, ...]]:
        if self._is_stopped:
            raise HistoryUnavailable("This read was interrupted.")
        with translate_errors():
            return self._connection.execute(sql, values).fetchall()
