"""HTTP by hand: bytes as no client library would send them, and the answer as it comes."""

import contextlib
import json
import socket
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class RawAnswer:
    """One answer.

    Attributes:
        headers: names in lower case.
    """

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class RawConnection:
    """One connection to a server.

    Args:
        url: of the server.
        timeout_s: for each step.
        receive_buffer_bytes: size of the kernel's buffer for what the server sends; default: the kernel's own.
    """

    def __init__(self, url: str, timeout_s: float = 30.0, *, receive_buffer_bytes: int | None = None) -> None:
        address = urlsplit(url)
        assert address.hostname
        assert address.port
        self._socket = socket.socket()
        self._socket.settimeout(timeout_s)
        if receive_buffer_bytes:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        try:
            self._socket.connect((address.hostname, address.port))
        except OSError:
            self._socket.close()
            raise
        self._file = self._socket.makefile("rb")

    def send(self, data: bytes) -> None:
        """Send bytes; a server that has closed its end already is no error."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._socket.sendall(data)

    def request(
        self, method: str, target: str, *headers: str, token: str | None = None, body: bytes = b""
    ) -> "RawConnection":
        """Send one request."""
        lines = [f"{method} {target} HTTP/1.1", "Host: test", *headers]
        if token:
            lines.append(f"Authorization: Bearer {token}")
        if body:
            lines.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        return self

    def answer(self, *, to_head: bool = False) -> RawAnswer:
        """Read one answer whole."""
        line = self._file.readline()
        assert line.startswith(b"HTTP/1.1 "), f"no answer but {line!r}"
        status = int(line.split()[1])
        headers = {}
        while (header := self._file.readline()) not in (b"\r\n", b""):
            name, _, value = header.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        return RawAnswer(status, headers, b"" if to_head or status in (100, 204) else self._body(headers))

    def is_closed(self) -> bool:
        """Wait for the server to close the connection; False if it says something more."""
        try:
            return self._file.read(1) == b""
        except ConnectionResetError:
            return True

    def read(self, size: int) -> bytes:
        """So many bytes, or what came before the end."""
        return self._file.read(size)

    def shut(self, how: int) -> None:
        """End one direction."""
        self._socket.shutdown(how)

    def close(self) -> None:
        """End it."""
        self._file.close()
        self._socket.close()

    def __enter__(self) -> "RawConnection":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding") != "chunked":
            return self._file.read(int(headers.get("content-length", 0)))
        body = b""
        while size := int(self._file.readline(), 16):
            body += self._file.read(size)
            self._file.readline()
        self._file.readline()
        return body
