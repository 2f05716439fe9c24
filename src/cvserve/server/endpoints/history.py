"""`GET /predict`: what was predicted, as a list that streams; `GET /predict/{id}`: one of them."""

import dataclasses
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

from loguru import logger

from cvserve.errors import HistoryError, NotFound, Overloaded
from cvserve.server.context import Receive, Scope, Send, context_of
from cvserve.server.disconnect import ClientGone, has_left
from cvserve.server.parameters import HISTORY_PARAMETERS, MAX_ID, make_history_query, parse_query
from cvserve.server.readers import Answer, Read, Readers
from cvserve.server.responses import send_body, send_json
from cvserve.store.predictions import PAGE, JsonPage, PredictionReader, Query

_JSON_TYPE = (b"content-type", b"application/json")


def find_row_filter(scope: Scope) -> int | None:
    """Id of the only token whose rows the caller may see; None when the caller may see all rows."""
    actor = context_of(scope).actor
    return None if actor is None or actor.sees_all else actor.token_id


class _Start(NamedTuple):
    """What is known of an answer before its first byte.

    Attributes:
        query: as a range of ids that no longer grows.
        next_after: the last id of an answer that ends by its limit; None where nothing follows.
        page: the first rows.
    """

    query: Query
    next_after: int | None
    page: JsonPage


class PredictionList:
    """`GET /predict`, oldest first, in constant memory: pages of 1,000 rows, each a short read.

    SQLite writes the JSON, in the reader's thread: the event loop only hands bytes on. A read that takes too long is a
    503 before the first byte; afterwards the connection is cut, so that half a list never looks like a whole one.

    Args:
        readers: run the reads.
    """

    def __init__(self, readers: Readers) -> None:
        self._readers = readers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer in one piece where one page is all, else stream everything that matches."""
        found = parse_query(scope, HISTORY_PARAMETERS)
        query = make_history_query(found, find_row_filter(scope))
        is_head = scope["method"] == "HEAD"
        headers = []
        if found.get("count", not query.is_filtered):
            total = await self._scan(scope, receive, lambda reader: reader.count(query))
            headers.append((b"x-total-count", str(total).encode("ascii")))
        start = await self._scan(scope, receive, lambda reader: _read_start(reader, query, is_head=is_head))
        if start.next_after is not None:
            headers.append((b"link", _make_next_link(scope, found, start.next_after)))
        if query.limit is not None and (start.page.rows < PAGE or query.limit <= PAGE):
            await send_body(send, b"[" + start.page.text + b"]", headers=headers)
        elif is_head:  # the length of a stream is not known before its end
            await send({"type": "http.response.start", "status": 200, "headers": [_JSON_TYPE, *headers]})
            await send({"type": "http.response.body", "body": b""})
        else:
            await self._stream(start, scope, receive, send, headers)

    async def _stream(
        self, start: _Start, scope: Scope, receive: Receive, send: Send, headers: list[tuple[bytes, bytes]]
    ) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [_JSON_TYPE, *headers]})
        page, query, separator = start.page, start.query, b"["
        while page.rows:
            await send({"type": "http.response.body", "body": separator + page.text, "more_body": True})
            separator = b","
            if page.rows < PAGE:
                break
            query = query.continue_after(page.last_id)
            page = await self._read_next(query, scope, receive)
        await send({"type": "http.response.body", "body": b"[]" if separator == b"[" else b"]"})

    async def _read_next(self, query: Query, scope: Scope, receive: Receive) -> JsonPage:
        """The next page of an answer that has begun.

        Raises:
            ClientGone: it cannot be read, or nobody waits for it; the connection is cut.
        """
        try:
            return await self._scan(scope, receive, lambda reader: reader.read_json_page(query), is_first=False)
        except (HistoryError, Overloaded) as error:
            logger.warning("request {}: its list was cut off: {}", context_of(scope).request_id, error)
            raise ClientGone from None

    async def _scan(self, scope: Scope, receive: Receive, read: Read[Answer], *, is_first: bool = True) -> Answer:
        return await self._readers.scan(read, context_of(scope).owner, lambda: has_left(receive), is_first=is_first)


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
        only_of = find_row_filter(scope)
        row = None
        # int() alone would also take "１", "+1" and "1_0".
        if text.isascii() and text.isdecimal() and len(text) < 20 and int(text) <= MAX_ID:
            row = await self._readers.read(lambda reader: reader.get(int(text), only_of))
        if row is None:
            raise NotFound("There is no such prediction for this token.")
        await send_json(send, row.to_dict())


def _read_start(reader: PredictionReader, query: Query, *, is_head: bool) -> _Start:
    """All that must be known before the first byte, and the first page."""
    query = reader.fix_bounds(query)
    if query.limit is None:
        return _Start(query, None, JsonPage(b"", 0, 0) if is_head else reader.read_json_page(query))
    if query.limit <= PAGE:
        page = reader.read_json_page(query)
        more = page.rows == query.limit and reader.has_more(query, page.last_id)
        return _Start(query, page.last_id if more else None, page)
    last_id, more = reader.find_end(query)
    if query.descending:
        query = dataclasses.replace(query, after=last_id - 1)
    else:
        query = dataclasses.replace(query, before=last_id + 1)
    return _Start(query, last_id if more else None, reader.read_json_page(query))


def _make_next_link(scope: Scope, found: dict[str, Any], last_id: int) -> bytes:
    """RFC 8288: the same query, continued after the last row."""
    texts = dict(parse_qsl(scope["query_string"].decode("ascii")))
    texts["before" if found.get("order") == "desc" else "after"] = str(last_id)
    path = scope.get("root_path", "") + "/predict"
    return f'<{path}?{urlencode(texts)}>; rel="next"'.encode("ascii")
