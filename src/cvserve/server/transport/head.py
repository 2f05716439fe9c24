"""What the head of a request may be, and the same head without the wish for another protocol."""

from collections.abc import Iterable
from itertools import chain
from typing import Any
from urllib.parse import unquote

import httptools

from cvserve.errors import HeadersTooLarge, UriTooLong
from cvserve.server.host import apply_absolute_form

MAX_HEAD_BYTES = 16 * 1024
MAX_HEADERS = 100
MAX_TARGET_BYTES = 8 * 1024
_UPGRADING = frozenset((b"upgrade", b"http2-settings"))

Headers = list[tuple[bytes, bytes]]


def check_target(target: bytes) -> None:
    """Limit what stands between method and version.

    Raises:
        UriTooLong: it is longer.
    """
    if len(target) > MAX_TARGET_BYTES:
        raise UriTooLong(f"The request's target has more than {MAX_TARGET_BYTES:,} bytes; send a shorter one.")


def check_head(target: bytes, headers: Headers) -> None:
    """Limit number and size of a request's headers.

    Raises:
        HeadersTooLarge: there are more, or they are larger.
    """
    if len(headers) > MAX_HEADERS:
        raise HeadersTooLarge(f"The request has more than {MAX_HEADERS} headers; send fewer.")
    if len(target) + sum(map(len, chain.from_iterable(headers))) + 4 * len(headers) > MAX_HEAD_BYTES:
        raise make_head_error()


def set_target(scope: Any, target: bytes, root_path: str) -> None:
    """Write path and query of a request into its ASGI scope, whose headers are there.

    Raises:
        httptools.HttpParserInvalidURLError: the target is none.
    """
    parts = httptools.parse_url(target)
    if not target.startswith(b"/"):
        apply_absolute_form(target, scope["headers"])
    raw_path = parts.path or b"/"  # as in "GET http://name" (RFC 9112 section 3.2.2)
    path = raw_path.decode("ascii")
    scope["path"] = root_path + (unquote(path) if "%" in path else path)
    scope["raw_path"] = root_path.encode("ascii") + raw_path
    scope["query_string"] = parts.query or b""


def make_head_error() -> HeadersTooLarge:
    """The error for a head, or a part of it, that is too large."""
    return HeadersTooLarge(f"The request's head has more than {MAX_HEAD_BYTES:,} bytes; send fewer or shorter headers.")


def write_plain_head(method: bytes, target: bytes, headers: Headers) -> bytes:
    """The head again, without the offer to go on in another protocol.

    A server may ignore `Upgrade` (RFC 9110 section 7.8). The parser cannot: it takes what follows the head for bytes of
    that protocol, also where it is the body of an HTTP/1.1 request.
    """
    lines = [method + b" " + target + b" HTTP/1.1"]
    for name, value in headers:
        if name == b"connection":
            options = _drop_upgrading(value.split(b","))
            lines.extend([b"connection: " + b", ".join(options)] if options else [])
        elif name not in _UPGRADING:
            lines.append(name + b": " + value)
    return b"\r\n".join([*lines, b"", b""])


def _drop_upgrading(options: Iterable[bytes]) -> list[bytes]:
    return [option.strip() for option in options if option.strip().lower() not in _UPGRADING]
