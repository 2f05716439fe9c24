"""Asks every request for its host and for a token, before routing and before its body is read."""

from collections.abc import Collection

from cvserve.server.auth import Authenticator
from cvserve.server.context import AsgiApp, Receive, Scope, Send, context_of, route_path
from cvserve.server.foreign_pages import check_page
from cvserve.server.host import HostRule


class AuthenticationMiddleware:
    """Finds out who sent a request and writes it into the request's context, or raises why it may not go on.

    Args:
        app: the next layer.
        authenticator: turns a token into an actor.
        host_rule: looks at the header `Host`.
        allowed_origins: of other sites' pages that may write.
        open_paths: the exact paths that ask for no token.
    """

    def __init__(
        self,
        app: AsgiApp,
        authenticator: Authenticator,
        host_rule: HostRule,
        allowed_origins: Collection[str] = (),
        open_paths: Collection[str] = (),
    ) -> None:
        self._app = app
        self._authenticator = authenticator
        self._host_rule = host_rule
        self._allowed_origins = frozenset(origin.lower() for origin in allowed_origins)
        self._open_paths = frozenset(open_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Authenticate an HTTP request, then pass it on."""
        if scope["type"] == "http":
            self._host_rule.check(scope)
            if not (self._open_paths and route_path(scope) in self._open_paths):
                context_of(scope).actor = await self._authenticator.authenticate(scope)
                check_page(scope, self._allowed_origins)
        await self._app(scope, receive, send)
