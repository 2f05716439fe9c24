"""Load shedding: which requests can be refused by their heads alone, without waiting for anything.

Under overload most requests are refused, and what a refusal costs is missing for the others. The way through all layers
of the app takes several times as long as to say no; what is not certain here goes that way.
"""

from collections.abc import Collection

from cvserve.engine.engine import Engine
from cvserve.errors import CvserveError, MalformedBody, Misdirected, Overloaded, RateLimited, Unauthenticated
from cvserve.server.auth import Authenticator
from cvserve.server.context import Scope, content_length, context_of, headers_by_name, route_path
from cvserve.server.host import HostRule
from cvserve.server.rate_limit import RateLimiter
from cvserve.server.routes import UNLIMITED_PATHS

_PREDICT_PATHS = frozenset(("/predict", "/predict/batch"))
# Those of the other methods have another form.
_METHODS = frozenset(("GET", "POST", "PUT", "PATCH", "DELETE"))
# A larger body is better not read to its end; who expects to be asked for it may not send it; and what a browser sends
# for a page may be refused for that, or answered with headers of its own.
_MAX_BODY_BYTES = 1024**2
_UNCERTAIN = frozenset((b"expect", b"transfer-encoding", b"origin", b"sec-fetch-site"))


class LoadShedder:
    """Finds the requests that would be refused with 401, 429 or, as the queue is full, 503.

    Args:
        authenticator: knows the tokens.
        engine: knows whether there is room.
        rate_limiter: knows who has sent too much; None: a token may send any number.
        host_rule: looks at the header `Host`; what it refuses the app refuses.
        open_paths: the exact paths that ask for no token.
    """

    def __init__(
        self,
        authenticator: Authenticator,
        engine: Engine,
        rate_limiter: RateLimiter | None,
        host_rule: HostRule,
        open_paths: Collection[str],
    ) -> None:
        self._authenticator = authenticator
        self._engine = engine
        self._rate_limiter = rate_limiter
        self._host_rule = host_rule
        self._open_paths = open_paths

    def find_refusal(self, scope: Scope) -> CvserveError | None:
        """Return the error to answer with; None: let the app decide. The request's context is told who sends it."""
        path = route_path(scope)
        if path in self._open_paths or not _is_simple(scope):
            return None
        context = context_of(scope)
        try:
            self._host_rule.check(scope)
            actor = context.actor = self._authenticator.find_actor(scope)
            if actor is None:
                return None
            if self._rate_limiter is not None and path not in UNLIMITED_PATHS:
                self._rate_limiter.check(actor.token_id)
            if _is_prediction(scope, path) and "predict" in actor.scopes:
                self._engine.check_room(actor.token_id)
        except (MalformedBody, Misdirected):
            return None
        except (Unauthenticated, RateLimited) as error:
            return error.with_traceback(None)
        except Overloaded as error:
            context.route = path
            return error.with_traceback(None)
        return None


def _is_simple(scope: Scope) -> bool:
    """Whether the request has no body, or one of a known and moderate size that comes by itself."""
    headers = headers_by_name(scope)
    if scope["method"] not in _METHODS or not _UNCERTAIN.isdisjoint(headers):
        return False
    if b"content-length" not in headers:
        return True
    size_bytes = content_length(scope)
    return size_bytes is not None and size_bytes <= _MAX_BODY_BYTES


def _is_prediction(scope: Scope, path: str) -> bool:
    """Whether the path is one that predicts: an encoded slash, which is decoded here, is none to the app."""
    return path in _PREDICT_PATHS and scope["method"] in ("POST", "PUT") and b"%" not in scope["raw_path"]
