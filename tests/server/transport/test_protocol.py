"""What never reaches the app: bytes that are no HTTP, heads that are too long or too slow, and the end of a server."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cvserve.server.transport.head import MAX_HEAD_BYTES, MAX_HEADERS, MAX_TARGET_BYTES
from cvserve.server.transport.limits import ConnectionLimits
from cvserve.server.transport.protocol import MAX_PIPELINED
from support.answers import STATUS_OF, assert_problem
from support.fakes import BrightnessPredictor, GatedPredictor
from support.lines import parsed
from support.pictures import grey
from support.raw import RawConnection
from support.threaded import ThreadedServer
from support.waiting import wait_until

NO_HTTP = {
    "garbage": b"GARBAGE\r\n\r\n",
    "tls hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40),
    "http/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "http/3.0": b"GET / HTTP/3.0\r\nHost: x\r\n\r\n",
    "unknown method": b"FOO /predict HTTP/1.1\r\nHost: x\r\n\r\n",
    "connect": b"CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    "both lengths": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "length +5": b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\nhello",
    "length 0x5": b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 0x5\r\n\r\nhello",
    "length -1": b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "length 10^30": b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1" + b"0" * 30 + b"\r\n\r\n",
    "nul in a value": b"GET / HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
    "cr in a value": b"GET / HTTP/1.1\r\nHost: x\r\nX: a\rb\r\n\r\n",
    "space before the colon": b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
    "bad target": b"GET predict HTTP/1.1\r\nHost: x\r\n\r\n",
    "raw bytes in the target": b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
    "bad port in the target": b"GET http://x:99999999/ HTTP/1.1\r\nHost: x\r\n\r\n",
}
LONG = {
    "one header": b"GET / HTTP/1.1\r\nX: " + b"a" * MAX_HEAD_BYTES + b"\r\n\r\n",
    "one header without an end": b"GET / HTTP/1.1\r\nX: " + b"a" * 4_000_000,
    "many bytes in few headers": b"GET / HTTP/1.1\r\n" + (b"X: " + b"a" * 1_000 + b"\r\n") * 17 + b"\r\n",
    "many headers": b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * (MAX_HEADERS + 1) + b"\r\n",
    "many headers without an end": b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 1_000_000,
    "target": b"GET /" + b"a" * MAX_TARGET_BYTES + b" HTTP/1.1\r\n\r\n",
    "target without an end": b"GET /" + b"a" * 4_000_000,
    "query": b"GET /predict?" + b"a" * MAX_TARGET_BYTES + b" HTTP/1.1\r\n\r\n",
    "line ends only": b"\r\n" * 500_000,
}
LONG_CODES = {"target": "uri_too_long", "target without an end": "uri_too_long", "query": "uri_too_long"}


@pytest.mark.parametrize("name", [*NO_HTTP, *LONG])
def test_bytes_that_are_no_request_get_a_problem_a_line_and_the_end(shared: ThreadedServer, name: str) -> None:
    before = len(shared.log_lines())
    with RawConnection(shared.url) as raw:
        raw.send({**NO_HTTP, **LONG}[name])
        answer = raw.answer()
        code = "malformed_body" if name in NO_HTTP else LONG_CODES.get(name, "headers_too_large")
        body = assert_problem(answer, code)
        assert answer.headers["connection"] == "close"
        lines = shared.log_lines()[before:]
        assert len(lines) == 1
        line = parsed(lines[0])
        assert (line.status, line.who, line.request_id) == (str(STATUS_OF[code]), "-", body["request_id"])
        assert line.bytes_out == str(len(answer.body))
        assert raw.is_closed()


def test_head_within_the_limits_is_answered(shared: ThreadedServer) -> None:
    with RawConnection(shared.url) as raw:
        many = [f"X-{number}: y" for number in range(MAX_HEADERS - 2)]
        assert raw.request("GET", "/livez", *many, token=shared.token).answer().status == 200
        assert raw.request("GET", "/livez", "X: " + "a" * 15_000, token=shared.token).answer().status == 200
        target = "/livez?" + "a" * (MAX_TARGET_BYTES - 7)
        assert raw.request("GET", target, token=shared.token).answer().status == 200


def test_many_requests_in_one_packet_are_answered_in_order(shared: ThreadedServer) -> None:
    with RawConnection(shared.url) as raw:
        one = (
            "GET /livez HTTP/1.1\r\nHost: x\r\nAuthorization: {}\r\nX-Request-ID: n{}\r\nX-Fill: "
            + "f" * 200
            + "\r\n\r\n"
        )
        raw.send("".join(one.format(shared.token, number) for number in range(MAX_PIPELINED)).encode())
        ids = [raw.answer().headers["x-request-id"] for _ in range(MAX_PIPELINED)]
        assert ids == [f"n{number}" for number in range(MAX_PIPELINED)]


def test_connection_ends_behind_the_requests_that_may_wait_on_it(shared: ThreadedServer) -> None:
    with RawConnection(shared.url) as raw:
        raw.send(f"GET /livez HTTP/1.1\r\nHost: x\r\nAuthorization: {shared.token}\r\n\r\n".encode() * 5_000)
        answers = [raw.answer() for _ in range(1 + MAX_PIPELINED)]  # one was being answered while the others came
        assert {answer.status for answer in answers} == {200}
        assert [answer.headers.get("connection") for answer in answers] == [None] * MAX_PIPELINED + ["close"]
        assert raw.is_closed()


def test_large_bodies_one_after_the_other_are_no_long_head(shared: ThreadedServer) -> None:
    picture = grey(0, (900, 900), "JPEG") + b"\0" * 300_000
    with RawConnection(shared.url) as raw:
        for _ in range(3):
            assert raw.request("POST", "/predict", token=shared.token, body=picture).answer().status == 200


@pytest.mark.parametrize("bad", [b"XYZ\r\n", b"-1\r\n", b"5\r\nhello--", b"ffffffffffffffffff\r\n"])
def test_broken_chunk_in_the_middle_of_a_body_is_malformed_and_logged_once(shared: ThreadedServer, bad: bytes) -> None:
    with RawConnection(shared.url) as raw:
        raw.request(
            "POST",
            "/predict",
            "Expect: 100-continue",
            "Transfer-Encoding: chunked",
            "X-Request-ID: torn",
            token=shared.token,
        )
        assert raw.answer().status == 100  # the app waits for the body now
        before = len(shared.log_lines())
        raw.send(bad)
        assert_problem(raw.answer(), "malformed_body")
        assert raw.is_closed()
    with shared.client() as client:
        client.get("/livez")
    lines = [parsed(line) for line in shared.log_lines()[before:]]
    assert [(line.path, line.status) for line in lines] == [("/predict", "400"), ("/livez", "200")]
    assert lines[0].who == "env"


def test_broken_chunk_in_the_same_packet_as_its_head_is_malformed_and_logged_once(shared: ThreadedServer) -> None:
    before = len(shared.log_lines())
    with RawConnection(shared.url) as raw:
        raw.send(b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nXYZ\r\n")
        assert_problem(raw.answer(), "malformed_body")
        assert raw.is_closed()
    with shared.client() as client:
        client.get("/livez")
    assert [parsed(line).status for line in shared.log_lines()[before:]] == ["400", "200"]


def test_garbage_behind_a_request_ends_the_connection_after_its_answer(shared: ThreadedServer) -> None:
    with RawConnection(shared.url) as raw:
        picture = grey(0)
        head = f"POST /predict HTTP/1.1\r\nHost: x\r\nAuthorization: {shared.token}\r\nContent-Length: {len(picture)}"
        raw.send(head.encode() + b"\r\n\r\n" + picture + b"GARBAGE\r\n\r\nGET /livez HTTP/1.1\r\n\r\n")
        assert raw.answer().status == 200
        assert raw.is_closed()


def test_broken_rest_of_a_refused_body_gets_no_second_answer(shared: ThreadedServer) -> None:
    with RawConnection(shared.url) as raw:
        raw.request("POST", "/predict", "Transfer-Encoding: chunked")
        assert_problem(raw.answer(), "unauthenticated")
        raw.send(b"XYZ\r\n")
        assert raw.is_closed()


@pytest.mark.parametrize("upgrade", ["websocket", "h2c", "TLS/1.0"])
def test_wish_to_upgrade_is_ignored(shared: ThreadedServer, upgrade: str) -> None:
    with RawConnection(shared.url) as raw:
        raw.request("GET", "/livez", f"Upgrade: {upgrade}", "Connection: Upgrade", token=shared.token)
        assert raw.answer().status == 200
        assert raw.request("GET", "/livez", token=shared.token).answer().status == 200  # the connection goes on


class TestSlowHeads:
    """With a short limit, on a server of their own."""

    @pytest.fixture
    def impatient(self, home: Path) -> Iterator[ThreadedServer]:
        server = ThreadedServer(home, BrightnessPredictor(), limits=ConnectionLimits(head_s=0.2, sweep_s=0.05))
        yield server
        server.stop()

    def test_connection_that_says_nothing_is_closed_without_a_line(self, impatient: ThreadedServer) -> None:
        with RawConnection(impatient.url) as raw:
            assert raw.is_closed()
        assert impatient.log_lines() == []

    @pytest.mark.parametrize("first", [b"G", b"GET /livez HT", b"GET /livez HTTP/1.1\r\nHost: x\r\nX: y"])
    def test_head_that_stays_incomplete_gets_a_problem_and_a_line(
        self, impatient: ThreadedServer, first: bytes
    ) -> None:
        with RawConnection(impatient.url) as raw:
            raw.send(first)
            body = assert_problem(raw.answer(), "request_timeout")
            assert "0.2 s" in body["detail"]
            assert raw.is_closed()
        assert [parsed(line).status for line in impatient.log_lines()] == ["408"]

    def test_second_head_on_a_connection_has_the_same_limit(self, impatient: ThreadedServer) -> None:
        with RawConnection(impatient.url) as raw:
            assert raw.request("GET", "/livez", token=impatient.token).answer().status == 200
            raw.send(b"GET /livez HTTP/1.1\r\n")
            assert_problem(raw.answer(), "request_timeout")

    def test_head_that_begins_in_the_packet_of_another_request_has_the_same_limit(
        self, impatient: ThreadedServer
    ) -> None:
        with RawConnection(impatient.url) as raw:
            raw.send(f"GET /livez HTTP/1.1\r\nHost: x\r\nAuthorization: {impatient.token}\r\n\r\nGET /li".encode())
            assert raw.answer().status == 200
            assert_problem(raw.answer(), "request_timeout")

    def test_slow_body_is_not_a_slow_head(self, impatient: ThreadedServer) -> None:
        picture = grey(0)
        with RawConnection(impatient.url) as raw, RawConnection(impatient.url) as other:
            raw.request(
                "POST", "/predict", f"Content-Length: {len(picture)}", "Expect: 100-continue", token=impatient.token
            )
            assert raw.answer().status == 100
            assert other.is_closed()  # the limit has passed
            raw.send(picture)
            assert raw.answer().status == 200


@pytest.mark.parametrize("target", ["http://127.0.0.1", "http://127.0.0.1?x=1"])
def test_absolute_target_without_a_path_asks_for_the_root(shared: ThreadedServer, target: str) -> None:
    with RawConnection(shared.url) as raw:
        root = raw.request("GET", "/", token=shared.token).answer()
        assert raw.request("GET", target, token=shared.token).answer().status == root.status != 400


def test_early_answer_to_who_waits_for_100_continue_ends_the_connection(shared: ThreadedServer) -> None:
    """Whether a body or another request follows, nobody can tell."""
    with RawConnection(shared.url) as raw:
        raw.request("POST", "/predict", "Expect: 100-continue", "Content-Length: 10")
        answer = raw.answer()
        assert_problem(answer, "unauthenticated")
        assert answer.headers["connection"] == "close"


def test_body_that_does_not_arrive_in_time_is_a_timeout(threaded_server: object) -> None:
    server = threaded_server(body_timeout=0.2)  # type: ignore[operator]
    for first in (b"", b"\x89PNG"):
        with RawConnection(server.url) as raw:
            raw.request("POST", "/predict", "Content-Length: 100", token=server.token)
            raw.send(first)
            answer = raw.answer()
            assert "0.2 s" in assert_problem(answer, "request_timeout")["detail"]
            assert answer.headers["connection"] == "close"


def test_request_that_is_on_its_way_when_the_server_stops_is_answered(threaded_server: object) -> None:
    predictor = GatedPredictor()
    server = threaded_server(predictor, last_request_s=30)  # type: ignore[operator]
    with RawConnection(server.url) as running, RawConnection(server.url) as quiet, RawConnection(server.url) as silent:
        assert quiet.request("GET", "/livez", token=server.token).answer().status == 200
        running.request("POST", "/predict", token=server.token, body=grey(0))
        assert predictor.entered.wait(30)
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        wait_until(lambda: not _accepts(server.url))
        for last in (quiet, silent):
            answer = last.request("GET", "/livez", token=server.token).answer()
            assert (answer.status, answer.headers["connection"]) == (200, "close")
        predictor.gate.set()
        assert running.answer().json()["id"] == 1
        stopping.join()


def _accepts(url: str) -> bool:
    try:
        socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=5).close()
    except OSError:
        return False
    return True
