"""Default deny around the router: a token before routing, before the body, for every path but a listed few."""

from collections.abc import Collection

from cvserve.server.auth import Authenticator
from cvserve.server.context import AsgiApp, Receive, Scope, Send, context_of, route_path


class AuthenticationMiddleware:
    """Puts the actor into the request's context, or raises.

    Args:
        app: what comes next.
        authenticator: tells who asks.
        open_paths: the exact paths that ask for no token.
    """

    def __init__(self, app: AsgiApp, authenticator: Authenticator, open_paths: Collection[str] = ()) -> None:
        self._app = app
        self._authenticator = authenticator
        self._open_paths = frozenset(open_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "http" and not (self._open_paths and route_path(scope) in self._open_paths):
            context_of(scope).actor = await self._authenticator.authenticate(scope)
        await self._app(scope, receive, send)
