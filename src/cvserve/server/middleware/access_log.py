"""Gives each request an id, counts its bytes and its time, and hands its line to the access log."""

import time

from cvserve.logs.access import AccessLog, AccessRecord
from cvserve.logs.secret_mask import SecretMask
from cvserve.server.context import KEY, AsgiApp, Message, Receive, RequestContext, Scope, Send, header, new_request_id
from cvserve.server.disconnect import has_come, has_left
from cvserve.server.forwarded import Proxies
from cvserve.server.lifecycle import Lifecycle
from cvserve.server.metrics import CLIENT_GONE, Metrics

CLIENT_CLOSED_REQUEST = 499
STANDARD_HEADERS = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))


class ContextMaker:
    """Makes what is known of a request at its beginning: its id, and who sends it.

    Args:
        mask: hides tokens in the ids of requests.
        proxies: those that tell whom they speak for.
    """

    def __init__(self, mask: SecretMask, proxies: Proxies) -> None:
        self._mask = mask
        self._proxies = proxies

    def find(self, scope: Scope) -> RequestContext:
        """Return the context of a request, which is made at first; its scope may be of a head that is broken."""
        context: RequestContext | None = scope.get(KEY)
        if context is None:
            offered = header(scope, b"x-request-id")
            if offered is not None and self._mask.finds_secret(offered):
                offered = None
            context = scope[KEY] = RequestContext(new_request_id(offered), self._proxies.find_client(scope))
        return context


class AccessLogMiddleware:
    """Writes one line for each response, whatever its status, before the last byte of the response is sent.

    It is around all other layers that handle requests, so that whatever they answer has its line. It also makes the
    request's context and adds the headers that every response has.

    Args:
        app: the next layer.
        access_log: where the lines go.
        lifecycle: while the server stops, each answer closes its connection.
        metrics: counts requests in progress and answers.
        contexts: makes what is known of each request.
    """

    def __init__(
        self,
        app: AsgiApp,
        access_log: AccessLog,
        lifecycle: Lifecycle,
        metrics: Metrics,
        contexts: "ContextMaker",
    ) -> None:
        self._app = app
        self._contexts = contexts
        self._access_log = access_log
        self._lifecycle = lifecycle
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass an HTTP request on, with its bytes counted in both directions, and write its line."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        context = self._contexts.find(scope)
        if context.is_logged:
            return  # the protocol has answered already: the request's body was broken
        exchange = _Exchange(scope, receive, send, self._access_log, self._lifecycle, self._metrics)
        self._metrics.in_progress += 1
        try:
            await self._app(scope, exchange.receive, exchange.send)
        finally:
            self._metrics.in_progress -= 1
            exchange.end()


class _Exchange:
    """One request and its answer: wraps `receive` and `send` to count bytes and to write the line in time."""

    __slots__ = (
        "_access_log",
        "_context",
        "_gone",
        "_held",
        "_is_head",
        "_lifecycle",
        "_metrics",
        "_reading",
        "_receive",
        "_scope",
        "_send",
    )

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        access_log: AccessLog,
        lifecycle: Lifecycle,
        metrics: Metrics,
    ) -> None:
        self._scope, self._receive, self._send, self._access_log = scope, receive, send, access_log
        self._lifecycle, self._metrics = lifecycle, metrics
        self._context: RequestContext = scope[KEY]
        self._is_head = scope["method"] == "HEAD"
        self._held: Message | None = None
        self._reading = self._gone = False

    async def receive(self) -> Message:
        """Receive the next piece of the body, or the message that the client has left."""
        self._reading = True
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._gone = True
        else:
            self._context.bytes_in += len(message.get("body", b""))
        return message

    @property
    def more_body(self) -> bool:
        """Whether the body may still be on its way; asked by `has_come`."""
        return not has_come(self._receive)

    @property
    def disconnected(self) -> bool:
        """Whether the client has left; asked by `has_left`."""
        self._gone = self._gone or has_left(self._receive)
        return self._gone

    async def send(self, message: Message) -> None:
        """Send a piece of the answer; the last one only after the line is written."""
        if message["type"] == "http.response.start":
            self._context.status = message["status"]
            message["headers"] = [*message["headers"], *self._headers()]
            self._held = message  # sent with the first piece of the body: an answer may end with its head
            return
        if message["type"] == "http.response.body":
            self._context.bytes_out += 0 if self._is_head else len(message.get("body", b""))
            if not message.get("more_body", False):
                self._gone = self._gone or self._has_left()
                if not self._context.is_logged:
                    await self._access_log.write_soon(self._make_record())
            if self._held is not None:
                await self._send(self._held)
                self._held = None
        await self._send(message)

    def _has_left(self) -> bool:
        # Asking would tell a client that waits for "100 Continue" to go on.
        waits = not self._reading and header(self._scope, b"expect") is not None
        return not waits and has_left(self._receive)

    def end(self) -> None:
        """Write the line, unless it was written with the last piece of the answer."""
        if not self._context.is_logged:
            self._access_log.write(self._make_record())

    def _make_record(self) -> AccessRecord:
        context = self._context
        if self._gone or not context.status:
            context.status = CLIENT_CLOSED_REQUEST
            self._metrics.count_rejection(CLIENT_GONE)
        context.is_logged = True
        self._metrics.count_answer(self._scope["method"], context)
        return make_record(self._scope, context)

    def _headers(self) -> list[tuple[bytes, bytes]]:
        headers = [(b"x-request-id", self._context.request_id.encode("ascii")), *STANDARD_HEADERS]
        if self._lifecycle.is_draining:
            headers.append((b"connection", b"close"))
        return headers


def make_record(scope: Scope, context: RequestContext) -> AccessRecord:
    """Make the entry of the access log for a request; where its head is broken, little is known."""
    path = scope.get("raw_path") or scope.get("path", "-").encode("utf-8", "surrogateescape")
    actor = context.actor
    return AccessRecord(
        context.client,
        actor.name if actor else "-",
        scope.get("method", "-"),
        str(path, "latin-1"),
        context.status,
        round((time.perf_counter() - context.started_at) * 1000, 1),
        context.bytes_in,
        context.bytes_out,
        context.prediction_id,
        context.request_id,
        header(scope, b"user-agent"),
    )
