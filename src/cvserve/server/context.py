"""What is known of one request while it runs, and small readers of an ASGI scope that all layers use."""

import random
import re
import sys
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from cvserve.server.actor import Actor

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

KEY = "cvserve"
UNMATCHED = "unmatched"
_HEADERS_KEY = "cvserve.headers"
_MAX_DIGITS = 18
_random = random.Random()  # noqa: S311 - see below; seeded by the system
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


@dataclass(slots=True)
class RequestContext:
    """What the layers know of one request: the outermost makes it, each adds its part, the access log reads it last.

    Attributes:
        request_id: the caller's `X-Request-ID` when it is harmless, else a UUIDv7.
        client: address of the peer, or of the client behind a trusted proxy.
        actor: the holder of the token, once it was checked.
        route: template of the path, such as `/predict/{id}`, once it was found.
        prediction_id: what was stored, as text; several are joined by commas.
        bytes_in, bytes_out: size of the request's and the answer's body so far.
        status: HTTP status of the answer; 0 before there is one.
        is_logged: whether the line in the access log is written; there is one for each answer.
        started_at: when the request began, on the clock of `time.perf_counter`.
    """

    request_id: str
    client: str
    actor: Actor | None = None
    route: str = UNMATCHED
    prediction_id: str | None = None
    bytes_in: int = 0
    bytes_out: int = 0
    status: int = 0
    is_logged: bool = False
    started_at: float = field(default_factory=time.perf_counter)

    @property
    def owner(self) -> int | None:
        """Who is served in turn, and whose bytes and requests are counted: the id of the token; None without one."""
        return self.actor.token_id if self.actor else None


def context_of(scope: Scope) -> RequestContext:
    """Return the context of a request that came through our middleware."""
    context: RequestContext = scope[KEY]
    return context


def headers_by_name(scope: Scope) -> dict[bytes, bytes]:
    """Return the first header of each name (lower case), with the blanks around its value."""
    found: dict[bytes, bytes] | None = scope.get(_HEADERS_KEY)
    if found is None:  # several are asked for in a request: one pass for all
        found = scope[_HEADERS_KEY] = dict([*scope.get("headers", ())][::-1])
    return found


def header(scope: Scope, name: bytes) -> str | None:
    """Return the value of the first header of that name (lower case), or None.

    Blanks and tabs around a value are no part of it (RFC 9110 section 5.5), and the parser leaves those behind it.
    """
    value = (scope.get(_HEADERS_KEY) or headers_by_name(scope)).get(name)  # a call less, as each request asks often
    return None if value is None else str(value, "latin-1").strip(" \t")


def content_length(scope: Scope) -> int | None:
    """Return the size that the head announces for the body; None where it announces none, or no number."""
    text = header(scope, b"content-length")
    if text is None or not text.isdecimal():
        return None
    digits = text.lstrip("0")  # of which there may be thousands, and Python converts no more than 4,300 digits
    return int(digits or "0") if len(digits) <= _MAX_DIGITS else sys.maxsize


def list_header(scope: Scope, name: bytes) -> list[str]:
    """Return the values of all headers of that name (lower case), in their order."""
    return [str(value, "latin-1").strip(" \t") for found, value in scope["headers"] if found == name]


def route_path(scope: Scope) -> str:
    """Return the path without the prefix under which a proxy or an outer app mounts us."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "")) or "/"


def split_route_path(scope: Scope) -> list[str]:
    """Return the parts between the slashes of `route_path`, decoded after they were split: `%2F` is no slash."""
    raw, root_path = scope.get("raw_path"), scope.get("root_path", "")
    if raw is None or b"%" not in raw or not raw.startswith(root_path.encode("utf-8")):
        return route_path(scope)[1:].split("/")
    return [unquote(part) for part in str(raw, "ascii", "replace").removeprefix(root_path)[1:].split("/")]


def new_request_id(offered: str | None) -> str:
    """Return `offered` if it is harmless in a log and in a header, else a new UUIDv7 (RFC 9562 section 5.7)."""
    if offered is not None and _REQUEST_ID.fullmatch(offered):
        return offered
    noise = _random.getrandbits(74)  # 12 and 62 bits; an id must be unique, not secret
    number = time.time_ns() // 1_000_000 << 80 | 7 << 76 | noise >> 62 << 64 | 2 << 62 | noise & (1 << 62) - 1
    digits = f"{number:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
