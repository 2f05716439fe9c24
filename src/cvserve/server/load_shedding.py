"""Load shedding: which requests can be refused by their heads alone, without waiting for anything.

Under overload most requests are refused, and what a refusal costs is missing for the others. The way through all layers
of the app takes several times as long as to say no; what is not certain here goes that way.
"""

from cvserve.engine.engine import Engine
from cvserve.errors import CvserveError, Overloaded, RateLimited, Unauthenticated
from cvserve.server.auth import Authenticator
from cvserve.server.context import Scope, context_of, headers_by_name, route_path
from cvserve.server.rate_limit import RateLimiter

_PREDICT_PATHS = frozenset(("/predict", "/predict/batch"))
# A larger body is better not read to its end, and who expects to be asked for it may not send it.
_MAX_BODY_BYTES = 1024**2


class LoadShedder:
    """Finds the requests that would be refused with 401, 429 or, as the queue is full, 503.

    Args:
        authenticator: knows the tokens.
        engine: knows whether there is room.
        rate_limiter: knows who has sent too much; None: a token may send any number.
    """

    def __init__(self, authenticator: Authenticator, engine: Engine, rate_limiter: RateLimiter | None) -> None:
        self._authenticator = authenticator
        self._engine = engine
        self._rate_limiter = rate_limiter

    def find_refusal(self, scope: Scope) -> CvserveError | None:
        """Return the error to answer with; None: let the app decide. The request's context is told who sends it."""
        if scope["method"] in ("OPTIONS", "HEAD") or not _is_simple(scope):
            return None
        context = context_of(scope)
        try:
            actor = context.actor = self._authenticator.find_actor(scope)
            if actor is None:
                return None
            if self._rate_limiter is not None:
                self._rate_limiter.check(actor.token_id)
            path = route_path(scope)
            if path in _PREDICT_PATHS and scope["method"] in ("POST", "PUT") and "predict" in actor.scopes:
                self._engine.check_room(actor.token_id)
        except (Unauthenticated, RateLimited) as error:
            return error.with_traceback(None)
        except Overloaded as error:
            context.route = path
            return error.with_traceback(None)
        return None


def _is_simple(scope: Scope) -> bool:
    """Whether the request has no body, or one of a known and moderate size that comes by itself."""
    headers = headers_by_name(scope)
    if b"expect" in headers or b"transfer-encoding" in headers:
        return False
    length = headers.get(b"content-length", b"0").strip(b" \t")
    return length.isdigit() and int(length) <= _MAX_BODY_BYTES
