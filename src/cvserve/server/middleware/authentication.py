"""Asks every request for a token, before routing and before its body is read; only listed paths are open."""

from collections.abc import Collection

from cvserve.server.auth import Authenticator
from cvserve.server.context import AsgiApp, Receive, Scope, Send, context_of, route_path


class AuthenticationMiddleware:
    """Finds out who sent a request and writes it into the request's context, or raises `Unauthenticated`.

    Args:
        app: the next layer.
        authenticator: turns a token into an actor.
        open_paths: the exact paths that ask for no token.
    """

    def __init__(self, app: AsgiApp, authenticator: Authenticator, open_paths: Collection[str] = ()) -> None:
        self._app = app
        self._authenticator = authenticator
        self._open_paths = frozenset(open_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Authenticate an HTTP request, then pass it on."""
        if scope["type"] == "http" and not (self._open_paths and route_path(scope) in self._open_paths):
            context_of(scope).actor = await self._authenticator.authenticate(scope)
        await self._app(scope, receive, send)
