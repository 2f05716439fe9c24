"""uvicorn's HTTP/1.1 protocol with limits on a request's head, and with our answer to bytes that are no HTTP.

Such bytes never reach the app, so the problem and its line in `output.log` are written here.
"""

import asyncio
from itertools import chain
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from cvserve.errors import MalformedBody
from cvserve.logs.access import AccessLog
from cvserve.server.context import KEY, RequestContext, new_request_id
from cvserve.server.metrics import Metrics
from cvserve.server.middleware.access_log import make_record
from cvserve.server.problems import encode_problem

MAX_HEAD_BYTES = 16 * 1024
MAX_HEADERS = 100
MAX_TARGET_BYTES = 8 * 1024
HEAD_TIMEOUT_S = 10.0
# A quiet connection may have a request on its way when the server stops; it is heard out so long.
_LAST_WORD_S = 0.5
_NO_HTTP = "These bytes are no HTTP/1.1 request."


class HttpProtocol(HttpToolsProtocol):
    """One connection.

    Args:
        access_log, metrics: hear of answers that the app does not make.
        head_timeout_s: for a request's head to arrive.
        *arguments, **named: uvicorn's own.
    """

    def __init__(
        self,
        *arguments: Any,
        access_log: AccessLog,
        metrics: Metrics,
        head_timeout_s: float = HEAD_TIMEOUT_S,
        **named: Any,
    ) -> None:
        super().__init__(*arguments, **named)
        self._access_log = access_log
        self._metrics = metrics
        self._head_timeout_s = head_timeout_s
        self._head_timer: asyncio.TimerHandle | None = None
        self._in_head = True
        self._head_bytes = 0
        self._heads = 0
        self._deaf = False
        self._is_draining = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The clock of the first head starts with the connection: who says nothing is sent away."""
        super().connection_made(transport)
        self._head_timer = self.loop.call_later(self._head_timeout_s, self._end_slow_head)

    def connection_lost(self, exc: Exception | None) -> None:
        """As uvicorn's."""
        self._stop_head_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """As uvicorn's, with an eye on a head that does not end."""
        if self._deaf:
            return
        self._unset_keepalive_if_required()
        heads, in_head = self._heads, self._in_head
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # Only HTTP/1.1 is spoken: the request is answered as if it had not asked, and the connection ends.
            self._deaf = True
            self.cycle.keep_alive = False
        except httptools.HttpParserError as error:
            self._refuse(error.__context__ if isinstance(error.__context__, MalformedBody) else MalformedBody(_NO_HTTP))
        else:
            if in_head and self._in_head and heads == self._heads:
                self._wait_for_head(len(data))

    def on_url(self, url: bytes) -> None:
        """A piece of the request's target."""
        super().on_url(url)
        if len(self.url) > MAX_TARGET_BYTES:
            raise MalformedBody(f"The request's target has more than {MAX_TARGET_BYTES:,} bytes.")

    def on_headers_complete(self) -> None:
        """Check the size of the head, then begin the request."""
        if len(self.headers) > MAX_HEADERS:
            raise MalformedBody(f"The request has more than {MAX_HEADERS} headers.")
        texts = sum(map(len, chain.from_iterable(self.headers)))
        if len(self.url) + texts + 4 * len(self.headers) > MAX_HEAD_BYTES:
            raise _head_too_long()
        self._stop_head_timer()
        self._in_head, self._head_bytes = False, 0
        self._heads += 1
        super().on_headers_complete()
        if self._is_draining:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """What comes now is the next head."""
        super().on_message_complete()
        self._in_head = True

    def shutdown(self) -> None:
        """The server stops: finish the request that runs, or wait a moment for one that is on its way."""
        self._is_draining = True
        if self.cycle is None or self.cycle.response_complete:
            self.loop.call_later(_LAST_WORD_S, self._close_if_idle)
        else:
            super().shutdown()

    def _close_if_idle(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()

    def _wait_for_head(self, size: int) -> None:
        """The head goes on after this piece; the parser keeps what it has, so there must be an end to it."""
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(_head_too_long())
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(self._head_timeout_s, self._end_slow_head)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _end_slow_head(self) -> None:
        self._head_timer = None
        if self._head_bytes:
            self._refuse(MalformedBody(f"The request's head did not arrive within {self._head_timeout_s:g} s."))
        else:
            self.transport.close()

    def _refuse(self, error: MalformedBody) -> None:
        """Hear nothing more; answer, unless an answer is under way already."""
        self._deaf = True
        cycle = self.cycle
        of_this_message = cycle is not None and cycle.scope is self.scope
        if cycle is not None and not cycle.response_complete and not of_this_message:
            cycle.keep_alive = False  # what came before these bytes is answered first, then the connection ends
        elif of_this_message and (cycle.response_started or self.pipeline):
            self.transport.close()
        else:
            self._answer(error)
            if of_this_message:  # the app waits for the rest of a body that will not come
                cycle.disconnected = True
                cycle.message_event.set()

    def _answer(self, error: MalformedBody) -> None:
        scope: Any = self.scope if self.scope is not None else {}
        scope.setdefault("raw_path", getattr(self, "url", b"").partition(b"?")[0])
        client = self.client[0] if self.client else "-"
        context = scope.setdefault(KEY, RequestContext(new_request_id(None), client))
        status, headers, body = encode_problem(error, context.request_id)
        context.status, context.bytes_out, context.is_logged = status, len(body), True
        self._metrics.count_answer(scope.get("method", "-"), context)
        self._access_log.write(make_record(scope, context))
        headers = [
            *self.server_state.default_headers,
            *headers,
            (b"x-request-id", context.request_id.encode("ascii")),
            (b"connection", b"close"),
        ]
        lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
        self.transport.write(STATUS_LINE[status] + lines + b"\r\n" + body)
        self.transport.close()


def _head_too_long() -> MalformedBody:
    return MalformedBody(f"The request's head has more than {MAX_HEAD_BYTES:,} bytes.")
