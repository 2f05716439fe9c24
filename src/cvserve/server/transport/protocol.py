"""uvicorn's HTTP/1.1 protocol with limits on a request's head, and with our answer to bytes that are not HTTP.

Such bytes never reach the app, so the problem and its line in `output.log` are written here.
"""

import asyncio
from itertools import chain
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from cvserve.errors import MalformedBody
from cvserve.logs.access import AccessLog
from cvserve.server.context import KEY, RequestContext, new_request_id
from cvserve.server.metrics import Metrics
from cvserve.server.middleware.access_log import make_record
from cvserve.server.problems import encode_problem
from cvserve.server.transport.answer import encode_answer

MAX_HEAD_BYTES = 16 * 1024
MAX_HEADERS = 100
MAX_TARGET_BYTES = 8 * 1024
HEAD_TIMEOUT_S = 10.0
_NOT_HTTP = "These bytes are no HTTP/1.1 request."


class HttpProtocol(HttpToolsProtocol):
    """One connection. uvicorn calls its methods as bytes arrive, and httptools, the parser, as it finds their parts.

    Args:
        access_log, metrics: log and count the answers that are made here and not by the app.
        head_timeout_s: for a request's head to arrive.
        *arguments, **named: passed on to uvicorn's class.
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
        self._heads_read = 0
        self._ignores_input = False
        self._is_draining = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the time-out of the first head with the connection: a client that sends nothing is disconnected."""
        super().connection_made(transport)
        self._head_timer = self.loop.call_later(self._head_timeout_s, self._end_slow_head)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the time-out, then clean up as uvicorn does."""
        self._stop_head_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what arrived; in place of uvicorn's method, to limit a head that does not end and to answer errors."""
        if self._ignores_input:
            return
        self._unset_keepalive_if_required()
        heads_read, in_head = self._heads_read, self._in_head
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # Only HTTP/1.1 is spoken: the request is answered as if it had not asked, and the connection ends.
            self._ignores_input = True
            self.cycle.keep_alive = False
        except httptools.HttpParserError as error:
            self._refuse(
                error.__context__ if isinstance(error.__context__, MalformedBody) else MalformedBody(_NOT_HTTP)
            )
        else:
            if in_head and self._in_head and heads_read == self._heads_read:
                self._wait_for_head(len(data))

    def on_url(self, url: bytes) -> None:
        """Take a piece of the request's target, within its limit."""
        super().on_url(url)
        if len(self.url) > MAX_TARGET_BYTES:
            raise MalformedBody(f"The request's target has more than {MAX_TARGET_BYTES:,} bytes.")

    def on_headers_complete(self) -> None:
        """Check the size of the head, then let uvicorn begin the request."""
        if len(self.headers) > MAX_HEADERS:
            raise MalformedBody(f"The request has more than {MAX_HEADERS} headers.")
        texts = sum(map(len, chain.from_iterable(self.headers)))
        if len(self.url) + texts + 4 * len(self.headers) > MAX_HEAD_BYTES:
            raise _make_head_error()
        self._stop_head_timer()
        self._in_head, self._head_bytes = False, 0
        self._heads_read += 1
        super().on_headers_complete()
        if self._is_draining:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """End the request; the bytes that follow are the next head."""
        super().on_message_complete()
        self._in_head = True

    def shutdown(self) -> None:
        """Stop: finish the request that runs, or wait for one that is on its way, until `close_if_idle` is called."""
        self._is_draining = True
        if self._is_idle:
            self._unset_keepalive_if_required()  # it has a time of its own now: until `close_if_idle`
        else:
            super().shutdown()

    def close_if_idle(self) -> None:
        """End a connection on which no request runs or has begun to arrive."""
        if self._is_idle and not self._head_bytes:
            self.transport.close()

    @property
    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _wait_for_head(self, size: int) -> None:
        """Limit size and time of a head that goes on after this piece, as the parser keeps all of it."""
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(_make_head_error())
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
        """Ignore all further bytes, and answer with an error unless an answer is under way already."""
        self._ignores_input = True
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
        headers = [*self.server_state.default_headers, *headers]
        self.transport.write(encode_answer(status, headers, context.request_id, body))
        self.transport.close()


def _make_head_error() -> MalformedBody:
    return MalformedBody(f"The request's head has more than {MAX_HEAD_BYTES:,} bytes.")
