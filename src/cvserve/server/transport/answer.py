"""An answer as bytes, for those that are made without the app."""

from collections.abc import Iterable

from uvicorn.protocols.http.httptools_impl import STATUS_LINE


def encode_answer(status: int, headers: Iterable[tuple[bytes, bytes]], request_id: str, body: bytes) -> bytes:
    """Put a whole answer together, after which its connection is closed.

    Args:
        status: of HTTP.
        headers: names and values; those that close the connection and name the request are added.
        request_id: for `X-Request-ID`.
        body: of the length that the headers say.
    """
    lines = [
        *headers,
        (b"x-request-id", request_id.encode("ascii")),
        (b"connection", b"close"),
    ]
    head = b"".join([name + b": " + value + b"\r\n" for name, value in lines])
    return STATUS_LINE[status] + head + b"\r\n" + body
