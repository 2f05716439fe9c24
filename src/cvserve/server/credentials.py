"""The token out of a request's headers (RFC 6750 section 2.1, RFC 7617, and the ways other servers take it)."""

import base64
import binascii

from cvserve.errors import Unauthenticated
from cvserve.server.context import Scope
from cvserve.store.tokens import MAX_LENGTH


def token_from(scope: Scope) -> str:
    """The one token that the request carries.

    `Authorization: Bearer TOKEN` (scheme in any case), the bare `Authorization: TOKEN`, Basic with the token
    as the password, or `X-API-Key: TOKEN`. A token in the URL is never looked at: URLs end up in logs.

    Raises:
        Unauthenticated: none, more than one, or one that no token can look like.
    """
    found = [(name, value) for name, value in scope["headers"] if name in (b"authorization", b"x-api-key") and value]
    if not found:
        raise Unauthenticated("Send a token: Authorization: Bearer TOKEN.")
    if len(found) > 1:
        raise Unauthenticated("The request carries more than one token; send one.", credentials_sent=True)
    name, value = found[0]
    text = str(value, "latin-1")
    token = text if name == b"x-api-key" else _from_authorization(text)
    if not token or len(token) > MAX_LENGTH or " " in token or not token.isascii():
        raise refused()
    return token


def refused() -> Unauthenticated:
    """One answer for every bad token, so that nobody learns which part was wrong."""
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
