"""Cross-origin requests (the CORS protocol of https://fetch.spec.whatwg.org): which pages may read the answers."""

from collections.abc import Sequence

from cvserve.server.context import AsgiApp, Message, Receive, Scope, Send, context_of, header
from cvserve.server.responses import send_nothing
from cvserve.server.routes import Paths

_PREFLIGHT_AGE_S = 600
_REQUEST_HEADERS = b"Authorization, Content-Type, X-API-Key, X-Request-ID"
_ANSWER_HEADERS = b"Link, Server-Timing, X-Request-ID, X-Total-Count"


class CorsMiddleware:
    """Lets pages of the listed origins call; what others ask is answered as if this layer were not there.

    Before a page may send a token, its browser asks whether that is allowed (a preflight), and it cannot send a token
    with that. So only this one question is answered without: to a listed origin, and for a path that there is.

    Args:
        app: the next layer.
        origins: such as `https://app.example.org`; `*` stands for all.
        paths: those that there are.
    """

    def __init__(self, app: AsgiApp, origins: Sequence[str], paths: Paths) -> None:
        self._app = app
        self._origins = frozenset(origin.lower() for origin in origins)
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a preflight, or pass a request on and tell the browser that the page may read the answer."""
        origin = header(scope, b"origin") if scope["type"] == "http" else None
        if origin is None or not ("*" in self._origins or origin.lower() in self._origins):
            await self._app(scope, receive, send)
            return
        shared = self._share_with(origin)
        if scope["method"] == "OPTIONS" and header(scope, b"access-control-request-method") is not None:
            found = self._paths.find(scope)
            if found is not None:
                context_of(scope).route = found.path
                await send_nothing(send, [*shared, *_allow_request(found.allow)])
                return

        async def share(message: Message) -> None:
            if message["type"] == "http.response.start":
                exposed = (b"access-control-expose-headers", _ANSWER_HEADERS)
                message = {**message, "headers": [*message["headers"], *shared, exposed]}
            await send(message)

        await self._app(scope, receive, share)

    def _share_with(self, origin: str) -> list[tuple[bytes, bytes]]:
        if "*" in self._origins:
            return [(b"access-control-allow-origin", b"*")]
        return [(b"access-control-allow-origin", origin.encode("latin-1")), (b"vary", b"Origin")]


def _allow_request(methods: str) -> list[tuple[bytes, bytes]]:
    return [
        (b"access-control-allow-methods", methods.encode("ascii")),
        (b"access-control-allow-headers", _REQUEST_HEADERS),
        (b"access-control-max-age", str(_PREFLIGHT_AGE_S).encode("ascii")),
    ]
