"""With many connections open, what a head alone forbids is refused before the app is asked, with the same answer."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from cvserve.server.transport.turnstile import MANY_CONNECTIONS
from cvserve.values import rate
from support.fakes import GatedPredictor
from support.pictures import grey
from support.raw import RawAnswer, RawConnection
from support.threaded import ThreadedServer
from support.waiting import wait_until

Ask = tuple[str, str, tuple[str, ...], bool]  # method, target, headers, with the token
REFUSED: dict[str, Ask] = {
    "no token": ("POST", "/predict", (), False),
    "wrong token": ("GET", "/predict", ("Authorization: Bearer wrong",), False),
    "two tokens": ("GET", "/nowhere", ("X-API-Key: one", "Authorization: Bearer two"), False),
    "no room": ("POST", "/predict", (), True),
    "no room for a batch": ("POST", "/predict/batch", (), True),
    "its own id": ("PUT", "/predict?top_k=1", ("X-Request-ID: my-own",), True),
    "for a page": ("POST", "/predict", ("Origin: https://ours.example",), True),
    "for a foreign page": ("POST", "/predict", ("Origin: https://evil.example", "Sec-Fetch-Site: cross-site"), True),
    "another host": ("POST", "http://evil.example/predict", (), False),
    "two hosts": ("POST", "/predict", ("Host: test",), True),
    "a slash that is none": ("POST", "/predict%2Fbatch", (), True),
}
OURS = {"cors_origin": ("https://ours.example",), "allowed_hosts": ("test",)}


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThreadedServer]:
    """A server whose only worker is busy and whose queue is full."""
    predictor = GatedPredictor()
    server = ThreadedServer(tmp_path_factory.mktemp("full"), predictor, max_queue=2, workers=0, **OURS)
    try:
        with contextlib.ExitStack() as stack:
            engine = server.resources.engine
            for number, waiting in enumerate((*[0] * engine.wanted_workers, 1, 2), 1):
                raw = stack.enter_context(RawConnection(server.url))
                raw.request("POST", "/predict", token=server.token, body=grey(0))
                expected = (number, waiting)
                wait_until(lambda: (server.resources.metrics.in_progress, engine.waiting) == expected)  # noqa: B023
            yield server
            predictor.gate.set()
    finally:
        predictor.gate.set()
        server.stop()


@contextlib.contextmanager
def many_open(server: ThreadedServer) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for _ in range(MANY_CONNECTIONS + 1):
            stack.enter_context(RawConnection(server.url))
        wait_until(lambda: len(server.connections) > MANY_CONNECTIONS)
        yield


def ask(server: ThreadedServer, request: Ask) -> RawAnswer:
    """One answer, from a connection that answers a second time as well."""
    method, target, headers, with_token = request
    with RawConnection(server.url) as raw:
        answers = [
            raw.request(method, target, *headers, token=server.token if with_token else None, body=b"12345").answer()
            for _ in range(2)
        ]
    assert answers[0].status == answers[1].status
    return answers[0]


def without_ids(answer: RawAnswer) -> tuple[int, dict[str, str], bytes]:
    request_id = answer.headers["x-request-id"].encode()
    own = "x-request-id" if answer.headers["x-request-id"] != "my-own" else "none"
    return answer.status, {**answer.headers, own: ""}, answer.body.replace(request_id, b"ID")


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_is_the_same_whether_the_app_was_asked_or_not(full: ThreadedServer, name: str) -> None:
    few = ask(full, REFUSED[name])
    with many_open(full):
        many = ask(full, REFUSED[name])
    assert many.status in (400, 401, 404, 421, 503)
    assert without_ids(many) == without_ids(few)


@pytest.mark.parametrize("is_many", [False, True])
def test_length_of_thousands_of_digits_is_a_number(full: ThreadedServer, is_many: bool) -> None:
    with many_open(full) if is_many else contextlib.nullcontext():
        for digits, status in (("0" * 5_000, 401), ("0" * 5_000 + "1", 401), ("1" + "0" * 5_000, 400)):
            with RawConnection(full.url) as raw:
                assert raw.request("POST", "/predict", f"Content-Length: {digits}").answer().status == status
        with full.client() as client:
            assert client.get("/predict").status_code == 200


def test_requests_of_one_packet_are_answered_in_order_and_what_is_none_ends_them(full: ThreadedServer) -> None:
    """What follows the last one is no HTTP: that answer says that it is the last one, and nothing else is said."""
    ids = [f"of-one-packet-{number}" for number in range(20)]
    heads = [
        f"POST /predict HTTP/1.1\r\nHost: test\r\nX-Request-ID: {one}\r\nContent-Length: 2\r\n\r\nab" for one in ids
    ]
    with many_open(full), RawConnection(full.url) as raw:
        raw.send("".join(heads).encode() + b"GARBAGE\r\n\r\n")
        answers = [raw.answer() for _ in ids]
        assert raw.is_closed()
    assert [answer.headers["x-request-id"] for answer in answers] == ids
    assert {answer.status for answer in answers} == {401}
    assert [answer.headers.get("connection") for answer in answers] == [*[None] * 19, "close"]
    assert sum("of-one-packet-" in line for line in full.log_lines()) == 20


def test_each_refusal_has_its_line_and_its_count(full: ThreadedServer) -> None:
    with many_open(full):
        ids = [ask(full, REFUSED["no room"]).headers["x-request-id"] for _ in range(3)]
        with full.client() as client:
            page = client.get("/metrics").text
    lines = [line for line in full.log_lines() if any(one in line for one in ids)]
    assert len(lines) == 3
    assert all(" env " in line and "POST /predict" in line and " 503 " in line for line in lines)
    refused = re.search(
        r'cvserve_http_requests_total\{method="POST",route="/predict",status="503",token="env"\} (\d+)', page
    )
    assert refused is not None
    assert int(refused[1]) >= 6


def test_who_may_go_on_is_not_refused(full: ThreadedServer) -> None:
    with many_open(full), full.client() as client:
        assert client.get("/predict").status_code == 200
        assert client.get("/nowhere").status_code == 404
        assert client.get("/livez").status_code == 200


def test_health_and_metrics_are_answered_under_any_path_and_rate(tmp_path: Path) -> None:
    server = ThreadedServer(
        tmp_path, GatedPredictor(), workers=0, rate_limit=rate("1/h"), public_health=True, root_path="/models/digits"
    )
    try:
        with many_open(server), server.client() as client:
            assert [client.get("/predict").status_code for _ in range(2)] == [200, 429]
            assert client.get("/metrics").status_code == 200
            with RawConnection(server.url) as raw:
                assert raw.request("GET", "/livez").answer().status == 200
                assert raw.request("GET", "/readyz").answer().status == 200
    finally:
        server.stop()


def test_too_many_requests_of_a_token_are_refused(tmp_path: Path) -> None:
    server = ThreadedServer(tmp_path, GatedPredictor(), workers=0, rate_limit=rate("1/h"))
    try:
        with many_open(server), server.client() as client:
            assert client.get("/predict").status_code == 200
            refused = [client.get("/predict") for _ in range(3)]
            assert {answer.status_code for answer in refused} == {429}
            assert int(refused[0].headers["retry-after"]) > 3000
    finally:
        server.stop()


@pytest.mark.parametrize("root_path", ["", "/mounted"])
def test_health_checks_are_never_refused_whatever_the_prefix_of_the_paths(tmp_path: Path, root_path: str) -> None:
    server = ThreadedServer(
        tmp_path, GatedPredictor(), workers=0, rate_limit=rate("1/h"), root_path=root_path, public_health=True
    )
    try:
        with many_open(server), server.client() as client:
            assert [client.get("/predict").status_code for _ in range(2)] == [200, 429]
            for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Bearer {server.token}"}):
                for path in ("/livez", "/readyz"):
                    assert httpx.get(f"{server.url}{path}", headers=headers).status_code == 200
    finally:
        server.stop()
