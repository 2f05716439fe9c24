"""Reading the token from a request's headers (RFC 6750 section 2.1, RFC 7617, and the ways other servers take it)."""

import base64
import binascii

from cvserve.errors import Unauthenticated
from cvserve.server.context import Scope
from cvserve.store.tokens import MAX_LENGTH

_NAMES = (b"authorization", b"x-api-key")


def read_token(scope: Scope) -> str:
    """Return the one token that the request carries.

    It may come as `Authorization: Bearer TOKEN` (scheme in any case), as the bare `Authorization: TOKEN`, as the
    password of Basic, or as `X-API-Key: TOKEN`. A token in the URL is never looked at, as URLs end up in logs.

    Raises:
        Unauthenticated: there is no token or more than one, or the text cannot be a token.
    """
    # Blanks and tabs around a value are no part of it (RFC 9110 section 5.5).
    found = [(name, value.strip(b" \t")) for name, value in scope["headers"] if name in _NAMES and value.strip(b" \t")]
    if not found:
        raise Unauthenticated("Send a token: Authorization: Bearer TOKEN.")
    if len(found) > 1:
        raise Unauthenticated("The request carries more than one token; send one.", credentials_sent=True)
    name, value = found[0]
    text = str(value, "latin-1")
    token = text if name == b"x-api-key" else _from_authorization(text)
    if not token or len(token) > MAX_LENGTH or " " in token or not token.isascii():
        raise make_refusal()
    return token


def make_refusal() -> Unauthenticated:
    """Make the error for a bad token: the same for each, so that nobody learns what was wrong with it."""
    return Unauthenticated("The token is not accepted: it is unknown, revoked or expired.", credentials_sent=True)


def _from_authorization(text: str) -> str:
    scheme, space, rest = text.partition(" ")
    if not space:
        return "" if scheme.lower() in ("bearer", "basic") else scheme
    if scheme.lower() == "bearer":
        return rest
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(rest, validate=True).decode("utf-8").partition(":")[2]
        except (binascii.Error, ValueError):
            return ""
    return ""
