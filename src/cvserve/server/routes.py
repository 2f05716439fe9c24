"""The one table of paths: which method, which endpoint, which scope. A route without a scope cannot be written."""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass

from starlette.routing import Route, Router

from cvserve.errors import MethodNotAllowed
from cvserve.server.context import AsgiApp, Message, Receive, Scope, Send, context_of, route_path
from cvserve.server.responses import send_nothing
from cvserve.store.tokens import SCOPES

HEALTH_PATHS = ("/livez", "/readyz")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What answers one method of a path.

    Attributes:
        app: the ASGI class.
        scope: what a token must open; None for any valid token.
    """

    app: AsgiApp
    scope: str | None

    def __post_init__(self) -> None:
        """Fail at start, not at the first request."""
        if self.scope is not None and self.scope not in SCOPES:
            raise ValueError(f"no such scope: {self.scope!r}")


class Methods:
    """One path: checks that the token has the scope, then hands over to the endpoint of the request's method.

    Args:
        path: its template, which is what metrics call it.
        endpoints: by method; `HEAD` comes with `GET`, and `OPTIONS` with everything.
    """

    def __init__(self, path: str, endpoints: Mapping[str, Endpoint]) -> None:
        self._path = path
        self._endpoints = dict(endpoints)
        if "GET" in self._endpoints:
            self._endpoints["HEAD"] = self._endpoints["GET"]
        self._allow = ", ".join(sorted({*self._endpoints, "OPTIONS"}))

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Check method and scope, then let the method's endpoint answer."""
        context = context_of(scope)
        context.route = self._path
        method = scope["method"]
        endpoint = self._endpoints.get(method)
        if endpoint is None:
            if method == "OPTIONS":
                return send_nothing(send, [(b"allow", self._allow.encode("ascii"))])
            raise MethodNotAllowed(f"This path answers {self._allow}.", self._allow)
        actor = context.actor
        if endpoint.scope is not None and actor is not None:
            actor.require(endpoint.scope)
        return endpoint.app(scope, receive, _drop_body(send) if method == "HEAD" else send)


class Paths:
    """All paths: those without a parameter are looked up, and only the others are matched one by one.

    Args:
        routes: of the table.
        default: answers what no route matches.
    """

    def __init__(self, routes: Sequence[Route], default: AsgiApp) -> None:
        self._exact: dict[str, AsgiApp] = {route.path: route.app for route in routes if not route.param_convertors}
        self._router = Router(routes, redirect_slashes=False, default=default)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Find the path's app, or the one that answers 404, and let it answer."""
        app = self._exact.get(route_path(scope), self._router) if scope["type"] == "http" else self._router
        return app(scope, receive, send)


def route(path: str, endpoints: Mapping[str, Endpoint]) -> Route:
    """Make one row of the table of paths."""
    return Route(path, Methods(path, endpoints))


def _drop_body(send: Send) -> Send:
    """Wrap `send` so that it drops the body: HEAD is GET without it (RFC 9110 section 9.3.2); the headers stay."""

    async def headers_only(message: Message) -> None:
        if message["type"] == "http.response.body":
            if message.get("more_body", False):
                return
            message = {**message, "body": b""}
        await send(message)

    return headers_only
