"""Asks every request for its host, a token, and whether that may send so many: before routing and before its body."""

from collections.abc import Collection

from cvserve.server.auth import Authenticator
from cvserve.server.context import AsgiApp, Receive, Scope, Send, context_of, route_path
from cvserve.server.foreign_pages import check_page
from cvserve.server.host import HostRule
from cvserve.server.rate_limit import RateLimiter
from cvserve.server.routes import UNLIMITED_PATHS


class AuthenticationMiddleware:
    """Finds out who sent a request and writes it into the request's context, or raises why it may not go on.

    All requests of a token count for its rate, whatever their path, but those of health and metrics.

    Args:
        app: the next layer.
        authenticator: turns a token into an actor.
        host_rule: looks at the header `Host`.
        allowed_origins: of other sites' pages that may write.
        open_paths: the exact paths that ask for no token.
        rate_limiter: counts what each token sends; None: a token may send any number.
    """

    def __init__(
        self,
        app: AsgiApp,
        authenticator: Authenticator,
        host_rule: HostRule,
        allowed_origins: Collection[str] = (),
        open_paths: Collection[str] = (),
        rate_limiter: RateLimiter | None = None,
    ) -> None:
        self._app = app
        self._authenticator = authenticator
        self._host_rule = host_rule
        self._allowed_origins = frozenset(origin.lower() for origin in allowed_origins)
        self._open_paths = frozenset(open_paths)
        self._rate_limiter = rate_limiter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Authenticate an HTTP request, then pass it on."""
        if scope["type"] == "http":
            is_open = bool(self._open_paths) and route_path(scope) in self._open_paths
            self._host_rule.check(scope, any_name=is_open)
            if not is_open:
                actor = context_of(scope).actor = await self._authenticator.authenticate(scope)
                check_page(scope, self._allowed_origins)
                if self._rate_limiter is not None and route_path(scope) not in UNLIMITED_PATHS:
                    self._rate_limiter.take(actor.token_id)
        await self._app(scope, receive, send)
