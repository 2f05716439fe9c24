"""The address of the client, also behind proxies: the header `X-Forwarded-For`, believed only from those that we know.

Each proxy appends the address that it saw, so the list is read from its end: the first address that is not a known
proxy's is the client's. What stands before it was sent by the client and may be anything.
"""

import ipaddress
from functools import lru_cache

from cvserve.server.context import Scope, headers_by_name, list_header
from cvserve.values import texts

_MAX_CHARACTERS = 64  # of an address with a zone and a port
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Proxies:
    """The proxies whose `X-Forwarded-For` is believed.

    Args:
        listed: addresses and networks (`10.0.0.0/8`), separated by commas; `*` stands for whoever connects.
    """

    def __init__(self, listed: str) -> None:
        self._knows_all = listed.strip() == "*"
        self._networks = [network for network in map(_read_network, texts(listed)) if network is not None]
        self._names = frozenset(texts(listed))  # such as the path of a socket
        self.knows = lru_cache(maxsize=1024)(self._knows)

    def find_client(self, scope: Scope) -> str:
        """Return the address of who sent a request, an IP address wherever it came from a header."""
        peer = scope.get("client")
        if not peer:
            return "-"
        address: str = peer[0]
        if b"x-forwarded-for" not in headers_by_name(scope) or not self.knows(address):
            return address
        hops = [hop for value in list_header(scope, b"x-forwarded-for") for hop in value.split(",")]
        found = [_read_address(hop.strip(" \t")) for hop in hops]
        if self._knows_all:
            return str(found[0] or address)
        for hop in reversed(found):
            if hop is None:
                return address  # no proxy writes such a thing
            if not self.knows(str(hop)):
                return str(hop)
        return str(found[0])

    def _knows(self, peer: str) -> bool:
        if self._knows_all or peer in self._names:
            return True
        address = _read_address(peer)
        return address is not None and any(address in network for network in self._networks)


def _read_network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _read_address(text: str) -> _Address | None:
    """Read an address, which some proxies write with a port: `192.0.2.1:5000`, `[2001:db8::1]:5000`."""
    if len(text) > _MAX_CHARACTERS:
        return None
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return None if isinstance(address, ipaddress.IPv6Address) and address.scope_id else address
