"""`GET /predict`: what was predicted, as a list that streams; `GET /predict/{id}`: one of them."""

import dataclasses
from typing import Any
from urllib.parse import parse_qsl, urlencode

from cvserve.answer import encode_json
from cvserve.errors import NotFound
from cvserve.server.context import Receive, Scope, Send, context_of
from cvserve.server.disconnect import ClientGone, has_left
from cvserve.server.parameters import HISTORY_PARAMETERS, MAX_ID, make_history_query, parse_query
from cvserve.server.readers import Readers
from cvserve.server.responses import send_body, send_json
from cvserve.store.columns import HistoryRow
from cvserve.store.predictions import PAGE, PredictionReader, Query

_JSON_TYPE = (b"content-type", b"application/json")


def find_owner(scope: Scope) -> int | None:
    """Id of the only token whose rows the caller may see; None when the caller may see all rows."""
    actor = context_of(scope).actor
    return None if actor is None or actor.sees_all else actor.token_id


class PredictionList:
    """`GET /predict`, oldest first, in constant memory: pages of 1,000 rows, each a short read.

    Args:
        readers: run the reads.
    """

    def __init__(self, readers: Readers) -> None:
        self._readers = readers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with one page when there is a `limit`, else stream everything that matches."""
        found = parse_query(scope, HISTORY_PARAMETERS)
        query = make_history_query(found, find_owner(scope))
        headers = []
        if found.get("count", not query.is_filtered):
            total = await self._readers.run(lambda reader: reader.count(query))
            headers.append((b"x-total-count", str(total).encode("ascii")))
        query = await self._readers.run(lambda reader: reader.fix_bounds(query))
        if query.limit is not None:
            rows, more = await self._readers.run(lambda reader: _read_limited(reader, query))
            if more:
                headers.append((b"link", _make_next_link(scope, found, rows[-1].id)))
            await send_body(send, _encode_rows(rows), headers=headers)
        elif scope["method"] == "HEAD":  # the length of a stream is not known before its end
            await send({"type": "http.response.start", "status": 200, "headers": [_JSON_TYPE, *headers]})
            await send({"type": "http.response.body", "body": b""})
        else:
            await self._stream(query, receive, send, headers)

    async def _stream(self, query: Query, receive: Receive, send: Send, headers: list[tuple[bytes, bytes]]) -> None:
        page = await self._readers.run(lambda reader: reader.read_page(query))
        await send({"type": "http.response.start", "status": 200, "headers": [_JSON_TYPE, *headers]})
        separator = b"["
        while page:
            await send({"type": "http.response.body", "body": separator + _encode_rows(page)[1:-1], "more_body": True})
            separator = b","
            if len(page) < PAGE:
                break
            if has_left(receive):
                raise ClientGone
            query = query.continue_after(page[-1].id)
            page = await self._readers.run(lambda reader, query=query: reader.read_page(query))  # type: ignore[misc]
        await send({"type": "http.response.body", "body": b"[]" if separator == b"[" else b"]"})


class PredictionItem:
    """`GET /predict/{id}`: one row of the history.

    Args:
        readers: run the reads.
    """

    def __init__(self, readers: Readers) -> None:
        self._readers = readers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the row, or raise `NotFound`, also where the row belongs to somebody else."""
        text = scope["path_params"]["id"]
        owner = find_owner(scope)
        row = None
        # int() alone would also take "１", "+1" and "1_0".
        if text.isascii() and text.isdecimal() and len(text) < 20 and int(text) <= MAX_ID:
            row = await self._readers.run(lambda reader: reader.get(int(text), owner))
        if row is None:
            raise NotFound("There is no such prediction for this token.")
        await send_json(send, row.to_dict())


def _read_limited(reader: PredictionReader, query: Query) -> tuple[list[HistoryRow], bool]:
    """The rows of one answer, and whether there are more."""
    limit = query.limit or 0
    rows = [row for page in reader.read_pages(dataclasses.replace(query, limit=limit + 1)) for row in page]
    return rows[:limit], len(rows) > limit


def _make_next_link(scope: Scope, found: dict[str, Any], last_id: int) -> bytes:
    """RFC 8288: the same query, continued after the last row."""
    texts = dict(parse_qsl(scope["query_string"].decode("ascii")))
    texts["before" if found.get("order") == "desc" else "after"] = str(last_id)
    path = scope.get("root_path", "") + "/predict"
    return f'<{path}?{urlencode(texts)}>; rel="next"'.encode("ascii")


def _encode_rows(rows: list[HistoryRow]) -> bytes:
    return encode_json([row.to_dict() for row in rows]).encode("utf-8")
