"""One request to a health endpoint, by the standard library."""

import http.client
import json
import ssl
import urllib.error
import urllib.request
from typing import Any

from cvserve.settings import Settings

_MAX_ANSWER_BYTES = 65_536


class _StayHere(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: the token would go to wherever it points."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Say that there is no further request to make."""
        return


def ask(url: str, settings: Settings, timeout_s: float) -> tuple[int | None, str | None]:
    """Send one GET request and read the answer of a health endpoint.

    Args:
        url: of the endpoint, `http` or `https`.
        settings: for the token to send, and the server's certificate, which is then the only one believed.
        timeout_s: how long to wait for the connection, and for each part of the answer.

    Returns:
        The HTTP status, None when nobody answers; and the answer's word, such as `ready`, None when what answers
        is not cvserve.
    """
    # A proxy of the environment stands between this machine and the world, not before the server next door.
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({}), _StayHere()]
    try:
        if settings.ssl_certfile is not None:
            # Our own certificate may be signed by nobody, and is made out to the name that others call us by.
            context = ssl.create_default_context(cafile=str(settings.ssl_certfile))
            context.check_hostname = False
            handlers.append(urllib.request.HTTPSHandler(context=context))
        opener = urllib.request.build_opener(*handlers)
        request = urllib.request.Request(url)  # noqa: S310 - the scheme was checked
        if settings.token:
            request.add_header("Authorization", f"Bearer {settings.token}")
        try:
            with opener.open(request, timeout=timeout_s) as answer:
                return answer.status, _read_word(answer.read(_MAX_ANSWER_BYTES))
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _read_word(error.read(_MAX_ANSWER_BYTES))
    except (OSError, http.client.HTTPException, ValueError):
        return None, None


def _read_word(body: bytes) -> str | None:
    """The member `status` of a health answer: `ready`, or why not."""
    try:
        word = json.loads(body)["status"]
    except (ValueError, KeyError, TypeError):
        return None
    return word if isinstance(word, str) else None
