"""The outermost layer: request id, bytes, time, and one line in `output.log` before the last byte leaves."""

import time

from cvserve.log import AccessLog, AccessRecord
from cvserve.server.context import KEY, AsgiApp, Message, Receive, RequestContext, Scope, Send, header, new_request_id

CLIENT_CLOSED_REQUEST = 499
_HEADERS = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))


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
        peer = scope.get("client")
        context = RequestContext(new_request_id(header(scope, b"x-request-id")), peer[0] if peer else "-")
        scope[KEY] = context
        request_id = (b"x-request-id", context.request_id.encode("ascii"))
        logged = False
        gone = False
        body_read = False

        async def counting_receive() -> Message:
            nonlocal gone, body_read
            message = await receive()
            if message["type"] == "http.disconnect":
                gone = True
            else:
                context.bytes_in += len(message.get("body", b""))
                body_read = not message.get("more_body", False)
            return message

        async def logging_send(message: Message) -> None:
            nonlocal logged
            if message["type"] == "http.response.start":
                context.status = message["status"]
                message["headers"] = [*message["headers"], request_id, *_HEADERS]
            elif message["type"] == "http.response.body":
                context.bytes_out += len(message.get("body", b""))
                if not message.get("more_body", False) and not logged:
                    logged = True
                    if gone or (body_read and has_left(receive)):
                        context.status = CLIENT_CLOSED_REQUEST
                    self._write(scope, context)
            await send(message)

        try:
            await self._app(scope, counting_receive, logging_send)
        finally:
            if not logged:
                context.status = CLIENT_CLOSED_REQUEST if gone or not context.status else context.status
                self._write(scope, context)

    def _write(self, scope: Scope, context: RequestContext) -> None:
        path = scope.get("raw_path") or scope["path"].encode("utf-8", "surrogateescape")
        actor = context.actor
        self._access_log.write(
            AccessRecord(
                context.client,
                actor.name if actor else "-",
                scope["method"],
                str(path, "latin-1"),
                context.status,
                round((time.perf_counter() - context.started_at) * 1000, 1),
                context.bytes_in,
                context.bytes_out,
                context.prediction_id,
                context.request_id,
                header(scope, b"user-agent"),
            )
        )


def has_left(receive: Receive) -> bool:
    """Whether the client has closed the connection, asked without waiting.

    ASGI tells of it only to somebody who waits in `receive`. One step of that coroutine shows whether the
    news is there already; else it is closed again. To be asked only when the body was read to its end: before,
    the step would swallow a piece of it.
    """
    waiting = receive()
    step = getattr(waiting, "send", None)
    if step is None:
        return False
    try:
        step(None)
    except StopIteration as news:
        return bool(news.value["type"] == "http.disconnect")
    except RuntimeError:
        return False
    waiting.close()  # type: ignore[attr-defined]
    return False
