"""The one table of paths: which method, which endpoint, which scope. A route without a scope cannot be written."""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass

from cvserve.errors import MethodNotAllowed
from cvserve.server.context import (
    AsgiApp,
    Message,
    Receive,
    Scope,
    Send,
    context_of,
    route_path,
    split_route_path,
)
from cvserve.server.responses import send_nothing
from cvserve.store.tokens import SCOPES

HEALTH_PATHS = ("/livez", "/readyz")
# Who watches a server may always look, however busy the token is.
UNLIMITED_PATHS = frozenset((*HEALTH_PATHS, "/metrics"))


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
        path: its template, which is what metrics call it; a part in braces, such as `{id}`, stands for any text.
        endpoints: by method; `HEAD` comes with `GET`, and `OPTIONS` with everything.

    Attributes:
        path, endpoints: as above.
        allow: the methods that the path answers, as in the header `Allow`.
    """

    def __init__(self, path: str, endpoints: Mapping[str, Endpoint]) -> None:
        self.path = path
        self.endpoints = dict(endpoints)
        if "GET" in self.endpoints:
            self.endpoints["HEAD"] = self.endpoints["GET"]
        self.allow = ", ".join(sorted({*self.endpoints, "OPTIONS"}))

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Check method and scope, then let the method's endpoint answer."""
        context = context_of(scope)
        context.route = self.path
        method = scope["method"]
        endpoint = self.endpoints.get(method)
        if endpoint is None:
            if method == "OPTIONS":
                return send_nothing(send, [(b"allow", self.allow.encode("ascii"))])
            raise MethodNotAllowed(f"This path answers {self.allow}.", self.allow)
        actor = context.actor
        if endpoint.scope is not None and actor is not None:
            actor.require(endpoint.scope)
        return endpoint.app(scope, receive, _drop_body(send) if method == "HEAD" else send)


class Paths:
    """All paths. A request's path is split at its slashes and then decoded, so that only a real slash is one.

    Args:
        routes: of the table.
        default: answers what no route matches.
    """

    def __init__(self, routes: Sequence[Methods], default: AsgiApp) -> None:
        self._exact = {route.path: route for route in routes if "{" not in route.path}
        self._templates = [(route.path[1:].split("/"), route) for route in routes]
        self._default = default

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Find the path's endpoints, or what answers 404, and let it answer."""
        found = self.find(scope) if scope["type"] == "http" else None
        return (found or self._default)(scope, receive, send)

    def find(self, scope: Scope) -> Methods | None:
        """Return the endpoints of a request's path, and write its parameters into the scope."""
        raw = scope.get("raw_path")
        if raw is None or b"%" not in raw:
            found = self._exact.get(route_path(scope))
            if found is not None:
                return found
        parts = split_route_path(scope)
        for template, route in self._templates:
            if len(template) == len(parts) and all(map(_matches, template, parts)):
                pairs = zip(template, parts, strict=True)
                scope["path_params"] = {name[1:-1]: part for name, part in pairs if name.startswith("{")}
                return route
        return None


def _matches(template: str, part: str) -> bool:
    return part != "" if template.startswith("{") else part == template


def _drop_body(send: Send) -> Send:
    """Wrap `send` so that it drops the body: HEAD is GET without it (RFC 9110 section 9.3.2); the headers stay."""

    async def headers_only(message: Message) -> None:
        if message["type"] == "http.response.body":
            if message.get("more_body", False):
                return
            message = {**message, "body": b""}
        await send(message)

    return headers_only
