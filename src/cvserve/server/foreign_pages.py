"""Pages of other sites: a browser may send their requests, and only those that were allowed may write."""

from collections.abc import Collection

from cvserve.errors import CsrfRejected
from cvserve.server.context import Scope, header, headers_by_name

_READS = ("GET", "HEAD", "OPTIONS")


def check_page(scope: Scope, allowed_origins: Collection[str]) -> None:
    """Let a request pass unless a page of another site has made a browser send it (cross-site request forgery).

    Such a page cannot add a token; but where none is asked for (`no_auth`), or where the browser adds credentials by
    itself (Basic), its form would be taken for the user's. What no browser sent has neither of the two headers that
    tell: `Sec-Fetch-Site`, which newer ones send (https://www.w3.org/TR/fetch-metadata/), and `Origin`.

    Args:
        scope: of a request whose token, if one is asked for, is good.
        allowed_origins: origins whose pages may write, in lower case; `*` stands for all.

    Raises:
        CsrfRejected: it is a page of another site.
    """
    if scope["method"] in _READS:
        return
    found = headers_by_name(scope)
    if (b"sec-fetch-site" not in found and b"origin" not in found) or _carries_token(scope):
        return
    site, origin = header(scope, b"sec-fetch-site"), header(scope, b"origin")
    if origin is not None and ("*" in allowed_origins or origin.lower() in allowed_origins):
        return
    if site is not None:
        is_own = site in ("same-origin", "none")
    else:
        is_own = (origin or "").partition("://")[2].lower() == (header(scope, b"host") or "").lower() != ""
    if not is_own:
        raise CsrfRejected("A page of another site may not do this; if it is yours, name its origin in cors_origin.")


def _carries_token(scope: Scope) -> bool:
    """Whether there is a token that only who knows it can have added: no browser does so by itself."""
    authorization = header(scope, b"authorization")
    return bool(header(scope, b"x-api-key")) or bool(authorization and authorization[:5].lower() != "basic")
