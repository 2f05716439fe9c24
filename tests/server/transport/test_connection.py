"""A connection from its beginning to its end: every state has a deadline, and every answer can be heard."""

import contextlib
import http.client
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cvserve.history.history import History
from cvserve.server.transport.clock import State
from cvserve.server.transport.limits import ConnectionLimits
from support.answers import assert_problem
from support.fakes import BrightnessPredictor, GatedPredictor
from support.lines import parsed
from support.pictures import grey
from support.predictions import prediction
from support.raw import RawConnection
from support.threaded import ThreadedServer
from support.waiting import wait_until

MANY_ROWS = 20_000
SHORT = ConnectionLimits(
    head_s=0.3,
    idle_s=0.3,
    grace_s=0.3,
    body_rate=1e9,  # nobody is so quick: who is not done when the grace is over is too slow
    read_rate=1e9,
    leftover_s=0.3,
    leftover_most_s=0.6,
    work_s=0.3,
    sweep_s=0.05,
)
UPLOAD = "Content-Length: 1000000"


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThreadedServer]:
    """A server whose limits are all short, with a history that fills every buffer."""
    home = tmp_path_factory.mktemp("hasty")
    with History.open(str(home)) as history:
        history.add_many([prediction()] * MANY_ROWS, source="cli", file_names=[None] * MANY_ROWS)
    server = ThreadedServer(home, BrightnessPredictor(), limits=SHORT)
    yield server
    server.stop()


def send_nothing(raw: RawConnection, server: ThreadedServer) -> None:
    """The first byte never comes."""


def send_half_a_head(raw: RawConnection, server: ThreadedServer) -> None:
    raw.send(b"GET /livez HTTP/1.1\r\nHost: x\r\nX: y")
    assert_problem(raw.answer(), "request_timeout")


def send_one_request(raw: RawConnection, server: ThreadedServer) -> None:
    assert raw.request("GET", "/livez", token=server.token).answer().status == 200


def send_half_a_body(raw: RawConnection, server: ThreadedServer) -> None:
    raw.request("POST", "/predict", UPLOAD, "X-Request-ID: slow", token=server.token).send(b"\x89PNG")
    answer = raw.answer()
    assert "bytes a second" in assert_problem(answer, "request_timeout")["detail"]
    assert answer.headers["connection"] == "close"
    (line,) = [line for line in map(parsed, server.log_lines()) if line.request_id == "slow"]
    assert (line.status, line.who) == ("408", "env")


def keep_a_body_that_nobody_wants(raw: RawConnection, server: ThreadedServer) -> None:
    raw.request("POST", "/predict", UPLOAD)
    answer = raw.answer()
    assert_problem(answer, "unauthenticated")
    assert "connection" not in answer.headers  # it may go on, once the body has come
    raw.send(b"x")


def keep_a_body_that_is_too_large(raw: RawConnection, server: ThreadedServer) -> None:
    answer = raw.request("POST", "/predict", "Content-Length: 99000000", token=server.token).answer()
    assert_problem(answer, "payload_too_large")
    assert answer.headers["connection"] == "close"
    raw.send(b"x")


def do_not_read_the_answer(raw: RawConnection, server: ThreadedServer) -> None:
    raw.request("GET", "/predict", token=server.token)
    wait_until(
        lambda: any(line.path == "/predict" and line.status == "499" for line in map(parsed, server.log_lines()))
    )
    with pytest.raises((ConnectionResetError, ValueError)):  # cut off: no last chunk
        raw.answer()


ENDS: dict[State, list[Callable[[RawConnection, ThreadedServer], None]]] = {
    State.HEAD: [send_nothing, send_half_a_head],
    State.IDLE: [send_one_request],
    State.BODY: [send_half_a_body],
    State.WORKING: [],  # `test_app_that_never_answers_loses_its_connection`
    State.ANSWER: [do_not_read_the_answer],
    State.LEFTOVER: [keep_a_body_that_nobody_wants, keep_a_body_that_is_too_large],
    State.CLOSING: [],  # the client has no say in it without TLS
}


def test_there_is_no_state_without_an_end() -> None:
    assert set(ENDS) == set(State)


@pytest.mark.parametrize("stall", [stall for stalls in ENDS.values() for stall in stalls])
def test_connection_that_stalls_is_ended_in_every_state(
    hasty: ThreadedServer, stall: Callable[[RawConnection, ThreadedServer], None]
) -> None:
    open_before = len(hasty.connections)
    with RawConnection(hasty.url, receive_buffer_bytes=4096) as raw:
        stall(raw, hasty)
        wait_until(lambda: len(hasty.connections) == open_before)  # by the server: the client keeps its end open


def test_app_that_never_answers_loses_its_connection(home: Path) -> None:
    predictor = GatedPredictor()
    server = ThreadedServer(home, predictor, limits=SHORT)
    with RawConnection(server.url) as raw:
        raw.request("POST", "/predict", token=server.token, body=grey(0))
        assert predictor.entered.wait(30)
        assert raw.is_closed()
    predictor.gate.set()
    server.stop()
    assert [parsed(line).status for line in server.log_lines()] == ["499"]


def test_long_list_that_is_read_quickly_is_never_cut_off(home: Path) -> None:
    """It takes longer than an app may be silent, and nothing of it ever waits for its client."""
    with History.open(str(home)) as history:
        history.add_many([prediction()] * 60_000, source="cli", file_names=[None] * 60_000)
    server = ThreadedServer(home, BrightnessPredictor(), limits=ConnectionLimits(work_s=0.1, sweep_s=0.02))
    try:
        with RawConnection(server.url) as raw:
            assert raw.request("GET", "/predict", token=server.token).answer().body.count(b'"id":') == 60_000
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("head", "sent", "goes_on"),
    [
        ("Content-Length: 1000", b"x", True),
        ("Content-Length: 16777216", b"x", True),
        ("Content-Length: 16777217", b"x", False),
        ("Transfer-Encoding: chunked", b"1\r\nx\r\n", False),
        ("Transfer-Encoding: chunked", b"1\r\nx\r\n0\r\n\r\n", True),
    ],
)
def test_connection_goes_on_behind_an_early_answer_where_little_is_to_come(
    shared: ThreadedServer, head: str, sent: bytes, goes_on: bool
) -> None:
    with RawConnection(shared.url) as raw:
        raw.send(b"POST /predict HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n%s" % (head.encode(), sent))
        answer = raw.answer()
        assert_problem(answer, "unauthenticated")
        assert (answer.headers.get("connection") is None) == goes_on
        if goes_on:
            raw.send(bytes(int(head.split()[1]) - 1) if "Length" in head else b"")
            assert raw.request("GET", "/livez", token=shared.token).answer().status == 200
        else:
            assert raw.is_closed()


def test_upload_that_is_refused_on_its_way_can_be_sent_again_on_the_same_connection(home: Path) -> None:
    predictor = GatedPredictor()
    server = ThreadedServer(home, predictor, max_queue_bytes=3_000_000)
    picture = grey(0) + bytes(1_600_000)
    try:
        with RawConnection(server.url) as first, RawConnection(server.url) as second:
            second.request("POST", "/predict", f"Content-Length: {len(picture)}", token=server.token)
            second.send(picture[:100_000])
            wait_until(lambda: server.resources.budget.used_bytes == 100_000)
            first.request("POST", "/predict", token=server.token, body=picture)
            assert predictor.entered.wait(30)
            second.send(picture[100_000:-1])
            answer = second.answer()
            assert_problem(answer, "overloaded")
            assert "connection" not in answer.headers
            predictor.gate.set()
            assert first.answer().status == 200
            second.send(picture[-1:])
            assert second.request("POST", "/predict", token=server.token, body=picture).answer().status == 200
    finally:
        predictor.gate.set()
        server.stop()


@pytest.mark.parametrize("megabytes", [20, 21, 30, 60])
def test_body_that_is_too_large_is_answered_so_that_everybody_hears_it(shared: ThreadedServer, megabytes: int) -> None:
    """`http.client` sends all of it before it looks for an answer, and a reset would take the answer away."""
    address = shared.url.removeprefix("http://")
    body = bytes(megabytes * 1024**2 + 1)
    for headers in ({}, {"Authorization": f"Bearer {shared.token}"}):
        connection = http.client.HTTPConnection(address, timeout=30)
        connection.request("POST", "/predict", body, {"Content-Type": "image/png", **headers})
        assert connection.getresponse().status == (413 if headers else 401)
        connection.close()


def test_chunked_body_that_is_too_large_is_heard(shared: ThreadedServer) -> None:
    connection = http.client.HTTPConnection(shared.url.removeprefix("http://"), timeout=30)
    pieces = (bytes(1024**2) for _ in range(64))
    connection.request("POST", "/predict", pieces, {"Authorization": f"Bearer {shared.token}"}, encode_chunked=True)
    assert connection.getresponse().status == 413
    connection.close()


def test_next_request_behind_a_refused_body_of_usual_size_does_not_wait(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind a proxy it may be anybody's, a health probe among them."""
    monkeypatch.setattr("cvserve.server.transport.connection.RETRY_AFTER_S", 3_600)
    predictor = GatedPredictor()
    server = ThreadedServer(home, predictor, max_queue=1, workers=0)
    try:
        with contextlib.ExitStack() as stack, RawConnection(server.url) as second:
            engine = server.resources.engine
            for number, waiting in enumerate((*[0] * engine.wanted_workers, 1), 1):
                raw = stack.enter_context(RawConnection(server.url))
                raw.request("POST", "/predict", token=server.token, body=grey(0))
                expected = (number, waiting)
                wait_until(lambda: (server.resources.metrics.in_progress, engine.waiting) == expected)  # noqa: B023
            second.request("POST", "/predict", "Content-Length: 100000", token=server.token).send(bytes(50_000))
            answer = second.answer()
            assert_problem(answer, "overloaded")
            assert "connection" not in answer.headers
            second.send(bytes(50_000))
            assert second.request("GET", "/livez", token=server.token).answer().status == 200
    finally:
        predictor.gate.set()
        server.stop()


@pytest.mark.parametrize("connection", ["Upgrade, HTTP2-Settings", "keep-alive, Upgrade, HTTP2-Settings"])
@pytest.mark.parametrize("pieces", [1, 2, 7])
def test_offer_of_http_2_is_answered_in_http_1_with_its_body(
    shared: ThreadedServer, connection: str, pieces: int
) -> None:
    """As Java's HttpClient and `curl --http2` send it."""
    picture = grey(255)
    head = (
        f"POST /predict HTTP/1.1\r\nConnection: {connection}\r\nHost: x\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABk\r\n"
        f"Upgrade: h2c\r\nAuthorization: Bearer {shared.token}\r\nContent-Length: {len(picture)}\r\n\r\n"
    )
    data = head.encode() + picture
    step = -(-len(data) // pieces)
    with RawConnection(shared.url) as raw:
        for _ in range(2):  # the connection goes on
            for begin in range(0, len(data), step):
                raw.send(data[begin : begin + step])
            assert raw.answer().json()["label"] == "white"


def test_offer_of_http_2_with_a_chunked_body_is_answered(shared: ThreadedServer) -> None:
    picture = grey(255)
    with RawConnection(shared.url) as raw:
        raw.request(
            "POST", "/predict", "Upgrade: h2c", "Connection: Upgrade", "Transfer-Encoding: chunked", token=shared.token
        )
        raw.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(picture), picture))
        assert raw.answer().json()["label"] == "white"


def test_answer_is_whole_for_a_client_that_ends_its_own_side_late(shared: ThreadedServer) -> None:
    with RawConnection(shared.url) as raw:
        raw.request("POST", "/predict", "Content-Length: 99000000", token=shared.token)
        for _ in range(50):
            raw.send(bytes(1_000_000))
        assert_problem(raw.answer(), "payload_too_large")
        assert raw.is_closed()
        raw.shut(socket.SHUT_WR)
    wait_until(lambda: not shared.connections)


@pytest.mark.parametrize("last_request_s", [30, 0.05])
def test_request_behind_a_list_that_was_on_its_way_when_the_server_stopped(home: Path, last_request_s: float) -> None:
    """The head of the list has promised that the connection goes on."""
    with History.open(str(home)) as history:
        history.add_many([prediction()] * MANY_ROWS, source="cli", file_names=[None] * MANY_ROWS)
    limits = ConnectionLimits(last_request_s=last_request_s)
    server = ThreadedServer(home, BrightnessPredictor(), limits=limits, last_request_s=0.05)
    with RawConnection(server.url, receive_buffer_bytes=4096) as raw, RawConnection(server.url) as silent:
        raw.request("GET", "/predict", token=server.token)
        wait_until(lambda: any(connection.transport.count_waiting_bytes() for connection in server.connections))
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        assert silent.is_closed()  # the time of all others is over
        assert "connection" not in raw.answer().headers
        if last_request_s > 1:
            answer = raw.request("GET", "/livez", token=server.token).answer()
            assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert raw.is_closed()
        stopping.join()
