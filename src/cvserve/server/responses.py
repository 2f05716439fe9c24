"""Sending an answer as ASGI messages, without an object for each response."""

from collections.abc import Iterable
from typing import Any

from cvserve.answer import encode_json
from cvserve.server.context import Send

Headers = Iterable[tuple[bytes, bytes]]


async def send_body(send: Send, body: bytes, *, status: int = 200, headers: Headers = ()) -> None:
    """Answer with JSON that is already encoded as UTF-8."""
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode("ascii")),
                *headers,
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})


async def send_json(send: Send, value: Any, *, status: int = 200, headers: Headers = ()) -> None:
    """Encode a value as JSON and answer with it."""
    await send_body(send, encode_json(value).encode("utf-8"), status=status, headers=headers)


async def send_nothing(send: Send, headers: Headers) -> None:
    """Answer 204, which has neither a body nor its length (RFC 9110 section 8.6)."""
    await send({"type": "http.response.start", "status": 204, "headers": list(headers)})
    await send({"type": "http.response.body", "body": b""})
