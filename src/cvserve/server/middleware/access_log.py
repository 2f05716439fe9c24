"""The outermost layer: request id, bytes, time, and one line in `output.log` before the last byte leaves."""

import time

from cvserve.log import AccessLog, AccessRecord
from cvserve.server.client import has_left
from cvserve.server.context import KEY, AsgiApp, Message, Receive, RequestContext, Scope, Send, header, new_request_id

CLIENT_CLOSED_REQUEST = 499
_HEADERS = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))
# The rest of a body that nobody wants is read and dropped up to this size, so that the client hears why;
# when more is to come, the connection is cut after the answer.
_DROPPED_BYTES = 16 * 1024**2


class AccessLogMiddleware:
    """Writes one line for each response, whatever its status.

    Args:
        app: what comes next.
        access_log: where the lines go.
    """

    def __init__(self, app: AsgiApp, access_log: AccessLog) -> None:
        self._app = app
        self._access_log = access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if KEY in scope and scope[KEY].is_logged:
            return  # the protocol refused its body before we were asked
        context = scope[KEY] = self._new_context(scope)
        request_id = (b"x-request-id", context.request_id.encode("ascii"))
        is_head = scope["method"] == "HEAD"
        gone = False
        reading = False
        body_read = False

        async def counting_receive() -> Message:
            nonlocal gone, reading, body_read
            reading = True
            message = await receive()
            if message["type"] == "http.disconnect":
                gone = True
            else:
                context.bytes_in += len(message.get("body", b""))
                body_read = not message.get("more_body", False)
            return message

        async def logging_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                context.status = message["status"]
                message["headers"] = [*message["headers"], request_id, *_HEADERS]
                if not body_read and (reading or _announces_much(scope)):
                    message["headers"].append((b"connection", b"close"))
            elif message["type"] == "http.response.body":
                context.bytes_out += 0 if is_head else len(message.get("body", b""))
                if not message.get("more_body", False) and not context.is_logged:
                    if gone or has_left(receive):
                        context.status = CLIENT_CLOSED_REQUEST
                    self._write(scope, context)
            await send(message)

        try:
            await self._app(scope, counting_receive, logging_send)
        finally:
            if not context.is_logged:
                context.status = CLIENT_CLOSED_REQUEST if gone or not context.status else context.status
                self._write(scope, context)

    def _new_context(self, scope: Scope) -> RequestContext:
        offered = header(scope, b"x-request-id")
        if offered is not None and self._access_log.is_secret(offered):
            offered = None
        peer = scope.get("client")
        return RequestContext(new_request_id(offered), peer[0] if peer else "-")

    def _write(self, scope: Scope, context: RequestContext) -> None:
        context.is_logged = True
        self._access_log.write(record_of(scope, context))


def record_of(scope: Scope, context: RequestContext) -> AccessRecord:
    """What the log says of a request; its head may be broken, and then little is known."""
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


def _announces_much(scope: Scope) -> bool:
    """Whether the head tells of a body without an end, or of one that is not worth reading only to drop it."""
    length = header(scope, b"content-length")
    if length is None:
        return header(scope, b"transfer-encoding") is not None
    return not length.isdecimal() or int(length) > _DROPPED_BYTES
