"""The least an HTTP server in Python can do with the same request: read the multipart body, answer fixed JSON."""

import os
from typing import Any

import uvicorn
from python_multipart.multipart import MultipartParser, parse_options_header

ANSWER = b'{"id":1,"result":3,"score":0.974626}'
HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(ANSWER)).encode())]


async def app(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI application of one endpoint."""
    kind = next(value for name, value in scope["headers"] if name == b"content-type")
    picture = bytearray()
    boundary = parse_options_header(kind)[1][b"boundary"]
    parser = MultipartParser(boundary, {"on_part_data": lambda data, start, end: picture.extend(data[start:end])})
    more = True
    while more:
        message = await receive()
        parser.write(message.get("body", b""))
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": ANSWER})


if __name__ == "__main__":
    port = int(os.environ["PORT"])
    uvicorn.run(
        app, host="127.0.0.1", port=port, http="httptools", loop="uvloop", lifespan="off", access_log=False,
        log_level="warning",
    )  # fmt: skip
