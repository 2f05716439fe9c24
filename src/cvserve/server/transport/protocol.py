"""uvicorn's HTTP/1.1 protocol, with limits on all that a client sends and an answer to bytes that are not HTTP."""

import asyncio
from typing import Any

import httptools

from cvserve.errors import CvserveError, MalformedBody
from cvserve.server.transport.connection import Connection
from cvserve.server.transport.cycle import Cycle
from cvserve.server.transport.frames import Frames
from cvserve.server.transport.head import (
    MAX_HEAD_BYTES,
    check_head,
    check_target,
    make_head_error,
    set_target,
    write_plain_head,
)

# Requests that wait on one connection while another one is answered.
MAX_PIPELINED = 100
_NOT_HTTP = "These bytes are no HTTP/1.1 request."


class HttpProtocol(Connection):
    """One connection. uvicorn calls its methods as bytes arrive, and httptools, the parser, as it finds their parts."""

    def data_received(self, data: bytes) -> None:
        """Parse what arrived; in place of uvicorn's method, to limit what does not end and to answer errors."""
        self._received_bytes += len(data)
        if self._ignores_input:
            return
        heads_read, in_head, body_bytes = self._heads_read, self._in_head, self._frames.body_bytes
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._go_on_in_http(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            cause = error.__context__
            self._refuse(cause if isinstance(cause, CvserveError) else MalformedBody(_NOT_HTTP))
        else:
            if heads_read != self._heads_read:
                if self._in_head and self.scope is not self.cycle.scope:
                    self._head_bytes = 1  # another head has begun; the parser does not say how much of it came
                return
            if self._in_head and in_head:
                self._limit_head(len(data))
            elif not self._in_head and not self._frames.are_fair(len(data), self._frames.body_bytes - body_bytes):
                self._refuse(MalformedBody("The frames of the chunks are larger than the body; send larger chunks."))

    def on_url(self, url: bytes) -> None:
        """Take a piece of the request's target, within its limit."""
        self.url += url
        check_target(self.url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; what comes after a body looks the same to the parser, and is counted and dropped.

        A trailer that became a header could say who sends the request, or from where.
        """
        if self._in_head:
            name = name.lower()  # from here on as uvicorn's method, which would be one call more for each header
            if name == b"expect" and value.lower() == b"100-continue":
                self.expect_100_continue = True
            self.headers.append((name, value))
        else:
            self._frames.count_trailer(len(name) + len(value) + 4)

    def on_headers_complete(self) -> None:
        """Check the size of the head, then begin the request."""
        check_head(self.url, self.headers)
        if len(self.pipeline) >= MAX_PIPELINED:
            raise MalformedBody(f"More than {MAX_PIPELINED} requests wait for their answers on this connection.")
        method = self.parser.get_method()
        if self.parser.should_upgrade() and method != b"CONNECT":
            return  # the parser stops behind this head: see `_go_on_in_http`
        self._in_head, self._head_bytes = False, 0
        self._heads_read += 1
        self._turn += 1
        self._frames = Frames()
        self._begin_request(method.decode("ascii"))

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body."""
        frames = self._frames
        frames.body_bytes += len(body)
        self.cycle.add_body(body, frames.body_bytes)

    def on_message_complete(self) -> None:
        """End the request; the bytes that follow are the next head."""
        if not self._in_head:
            super().on_message_complete()
            self._in_head = True
            if not self.pipeline:  # the body was read by halts; from now on only its client's end can come
                self.flow.resume_reading()

    def _begin_request(self, method: str) -> None:
        """As uvicorn does it, with a cycle of ours."""
        scope: Any = self.scope
        scope["method"] = method
        version = self.parser.get_http_version()
        if version != "1.1":
            scope["http_version"] = version
        set_target(scope, self.url, self.root_path)
        running = self.cycle
        self.cycle = Cycle(
            budget=self._shared.budget,
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=version != "1.0" and self.parser.should_keep_alive() and not self._is_draining,
            on_response=self.on_response_complete,
        )
        if running is None or running.response_complete:
            self._begin(self.cycle)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def _limit_head(self, size: int) -> None:
        """Limit the size of a head that goes on after this piece, as the parser keeps all of it."""
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(make_head_error())

    def _go_on_in_http(self, rest: bytes) -> None:
        """Read the same head again without the offer of another protocol, then what came behind it."""
        method = self.parser.get_method()
        if method == b"CONNECT":
            self.cycle.keep_alive = False
            self._ignores_input = True
            return
        head = write_plain_head(method, self.url, self.headers)
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.data_received(head + rest)
