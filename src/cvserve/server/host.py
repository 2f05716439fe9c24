"""The header `Host`: whether it can be one (RFC 9112 section 3.2), and whether it names this server."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Self

from cvserve import values
from cvserve.errors import CvserveError, MalformedBody, Misdirected
from cvserve.server.context import Scope, headers_by_name
from cvserve.settings import Settings

# A name, an IPv4 address, or an IPv6 address in brackets; then a port, which may be empty.
_FORM = re.compile(r"(\[[0-9A-Fa-f:.]+(?:%25[A-Za-z0-9._~-]+)?\]|[A-Za-z0-9._-]{1,253})(?::[0-9]{0,5})?")
_MAX_CHARACTERS = 300
_ABSOLUTE_FORM = re.compile(rb"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)")


class HostRule:
    """Looks at the `Host` of each request.

    A page of another site can have its own name resolved to this machine ("DNS rebinding"); for the browser it then
    is of this server's origin. But the browser still sends that name as `Host`. So where no token is asked for, only
    this machine's names are answered.

    Args:
        names: what the server may be called, beside this machine's loopback names; `*.example.org` stands for all
            names below. None: anything that can be a `Host`.
        is_strict: whatever else is refused; if not, only what comes in at a loopback address. An app that is mounted
            in another one cannot know where that is reached, or by which names.
    """

    def __init__(self, names: Sequence[str] | None, *, is_strict: bool = True) -> None:
        self._is_strict = is_strict
        self._accepts_any = names is None
        self._names = frozenset(_normalise(name) for name in names or ())
        self._endings = tuple(name[1:] for name in self._names if name.startswith("*."))
        self._judge = lru_cache(maxsize=256)(self._find_fault)  # nearly always the same one

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """What the settings say."""
        asks = settings.no_auth or bool(settings.allowed_hosts)
        names = (settings.host, *settings.allowed_hosts) if asks else None
        return cls(names, is_strict=bool(settings.allowed_hosts))

    def check(self, scope: Scope, *, any_name: bool = False) -> None:
        """Let a request pass.

        Args:
            scope: of the request.
            any_name: the `Host` must be one, but may name anybody: what is asked for is open to all.

        Raises:
            MalformedBody: no `Host`, two of them, or one that is none.
            Misdirected: it names another host.
        """
        found = headers_by_name(scope)
        host = found.get(b"host")
        if host is None:
            if scope["http_version"] == "1.1":
                raise MalformedBody("An HTTP/1.1 request says in 'Host' whom it asks; send that header.")
            return  # HTTP/1.0 has no such header, and no browser speaks it
        if len(found) != len(scope["headers"]) and sum(name == b"host" for name, _ in scope["headers"]) > 1:
            raise MalformedBody("The request has two headers 'Host'; send one.")
        text = str(host, "latin-1").strip(" \t")
        fault = self._judge(text) if len(text) <= _MAX_CHARACTERS else MalformedBody
        if fault is MalformedBody:
            raise MalformedBody("The header 'Host' is no name or address of a host, with or without a port.")
        if fault is Misdirected and not any_name and (self._is_strict or _comes_over_loopback(scope)):
            name = text.rpartition(":")[0] or text
            raise Misdirected(
                f"This server does not answer to the name '{name}'; if it is its own, add it to allowed_hosts."
            )

    def _find_fault(self, text: str) -> type[CvserveError] | None:
        match = _FORM.fullmatch(text)
        if not match:
            return MalformedBody
        if self._accepts_any:
            return None
        name = _normalise(match[1])
        is_ours = name in self._names or name == "localhost" or values.is_loopback(name)
        # RFC 6761 section 6.3: whatever ends in .localhost is this machine.
        is_ours = is_ours or name.endswith((".localhost", *self._endings))
        return None if is_ours else Misdirected


def apply_absolute_form(target: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    """Where a request's target names a host (`GET http://name/path`), that one counts (RFC 9112 section 3.2.2).

    Args:
        target: of the request line.
        headers: of the request, names in lower case; the value of `Host` is replaced.
    """
    match = _ABSOLUTE_FORM.match(target)
    if match:
        authority = match[2] if match[1].lower() in (b"http", b"https") else b""  # which is no host
        headers[:] = [(name, authority if name == b"host" else value) for name, value in headers]


def _comes_over_loopback(scope: Scope) -> bool:
    """Whether a request came in at a loopback address of this machine, or at one that is not known."""
    server = scope.get("server")
    return server is None or values.is_loopback(str(server[0]).removeprefix("::ffff:"))


def _normalise(name: str) -> str:
    return name.lower().strip("[]").removesuffix(".")
