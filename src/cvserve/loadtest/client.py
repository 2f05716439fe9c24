"""A few requests from this process, by the standard library: is it the right server, does the token open it?"""

import http.client
import json
import ssl
import time
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from cvserve.errors import CannotStart
from cvserve.values import is_loopback

_TIMEOUT_S = 60.0
_MAX_ANSWER_BYTES = 1_048_576


class Answer(NamedTuple):
    """An answer of the server.

    Attributes:
        status: of HTTP.
        body: up to a MiB of it.
        duration_ms: from the first byte sent to the last received.
    """

    status: int
    body: bytes
    duration_ms: float

    def json(self) -> dict[str, Any]:
        """The body as a JSON object; empty when it is not one."""
        try:
            document = json.loads(self.body)
        except ValueError:
            return {}
        return document if isinstance(document, dict) else {}


class Client:
    """A client for one server, which opens a connection for each request.

    Args:
        url: of the server, with the path under which it is mounted.
        token: sent with each request; None: none.
        timeout_s: to connect, and for each part of the answer.
    """

    def __init__(self, url: str, token: str | None, timeout_s: float = _TIMEOUT_S) -> None:
        self.url = url
        self._parts = urlsplit(url)
        self._token = token
        self._timeout_s = timeout_s

    def ask(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
        """Send a request and read its answer.

        Raises:
            CannotStart: nobody answers there, or not in time.
        """
        sent = {**(headers or {}), **({"Authorization": f"Bearer {self._token}"} if self._token else {})}
        connection = self._connection()
        begin = time.perf_counter()
        try:
            connection.request(method, self._parts.path + path, body, sent)
            response = connection.getresponse()
            read = response.read(_MAX_ANSWER_BYTES)
        except TimeoutError:
            raise CannotStart(f"{self.url} did not answer within {self._timeout_s:g} s; is it overloaded?") from None
        except (OSError, http.client.HTTPException):
            raise CannotStart(f"Nobody answers at {self.url}; is the server running?") from None
        finally:
            connection.close()
        return Answer(response.status, read, (time.perf_counter() - begin) * 1000)

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._parts.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=self._timeout_s)
        context = ssl.create_default_context()
        if is_loopback(host):  # a certificate is made out to the name that others use
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return http.client.HTTPSConnection(host, port, timeout=self._timeout_s, context=context)
