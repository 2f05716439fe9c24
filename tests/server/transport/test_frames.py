"""Chunked bodies: what stands around the chunks and behind them is limited, and never becomes a header."""

from collections.abc import Iterator

import pytest

from support.answers import assert_problem
from support.pictures import grey
from support.raw import RawConnection
from support.threaded import ThreadedServer

CHUNKED = "Transfer-Encoding: chunked"


def test_trailer_is_no_header(shared: ThreadedServer) -> None:
    with RawConnection(shared.url) as raw:
        raw.request("POST", "/predict", CHUNKED, "X-Request-ID: trailed", "X-Forwarded-For: 10.0.0.1")
        raw.send(f"3\r\nabc\r\n0\r\nAuthorization: Bearer {shared.token}\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n".encode())
        assert_problem(raw.answer(), "unauthenticated")
    with RawConnection(shared.url) as raw:  # all of it in one packet
        body = f"3\r\nabc\r\n0\r\nAuthorization: Bearer {shared.token}\r\n\r\n"
        raw.send(f"POST /predict HTTP/1.1\r\nHost: x\r\n{CHUNKED}\r\n\r\n{body}".encode())
        assert_problem(raw.answer(), "unauthenticated")
    with RawConnection(shared.url) as raw:
        picture = grey(255)
        raw.request("POST", "/predict", CHUNKED, token=shared.token)
        raw.send(b"%x\r\n%s\r\n0\r\nX-Checksum: 1\r\nContent-Encoding: gzip\r\n\r\n" % (len(picture), picture))
        assert raw.answer().json()["label"] == "white"


FRAMES = {
    "many trailers": (b"3\r\nabc\r\n0\r\n", b"X: y\r\n", "headers_too_large"),
    "one trailer without an end": (b"3\r\nabc\r\n0\r\nX: ", b"yyyyyy", "malformed_body"),
    "one extension without an end": (b"3;x=", b"yyyyyy", "malformed_body"),
    "tiny chunks": (b"", b"1\r\na\r\n", "malformed_body"),
    "extensions of tiny chunks": (b"", b"1;x=yyyyyyyyyyyyyyyyyyyyyyyyy\r\na\r\n", "malformed_body"),
}


@pytest.mark.parametrize("name", FRAMES)
def test_frames_of_chunks_that_do_not_end_are_refused(shared: ThreadedServer, name: str) -> None:
    first, again, code = FRAMES[name]
    with RawConnection(shared.url) as raw:
        raw.request("POST", "/predict", CHUNKED, "Expect: 100-continue", token=shared.token)
        assert raw.answer().status == 100
        raw.send(first)
        for _ in range(40):
            raw.send(again * (50_000 // len(again)))
        assert_problem(raw.answer(), code)
        assert raw.is_closed()


def test_small_chunks_of_a_usual_client_are_taken(shared: ThreadedServer) -> None:
    body = grey(255) + bytes(200_000)
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in _cut(body, 16))
    with RawConnection(shared.url) as raw:
        raw.request("POST", "/predict", CHUNKED, token=shared.token)
        raw.send(chunks + b"0\r\n\r\n")
        assert raw.answer().json()["label"] == "white"


def _cut(data: bytes, size: int) -> Iterator[bytes]:
    return (data[begin : begin + size] for begin in range(0, len(data), size))
