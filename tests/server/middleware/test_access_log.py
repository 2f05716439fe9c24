"""output.log behind the server: one line for each answer, before its last byte, and nobody can forge one."""

import base64
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from support.fakes import FailingPredictor, GatedPredictor
from support.lines import parsed
from support.pictures import grey
from support.raw import RawConnection
from support.threaded import TOKEN, ThreadedServer
from support.tokens import make_token
from support.waiting import wait_until

Start = Callable[..., ThreadedServer]
CASES: dict[int, Callable[[httpx.Client], httpx.Response]] = {
    200: lambda c: c.post("/predict", content=grey(0)),
    204: lambda c: c.options("/predict"),
    400: lambda c: c.post("/predict", content=b"{", headers={"Content-Type": "application/json"}),
    401: lambda c: c.get("/predict", headers={"Authorization": "Bearer x"}),
    404: lambda c: c.get("/nothing?secret=1"),
    405: lambda c: c.delete("/predict"),
    413: lambda c: c.post("/predict", files=[("x", ("a", b""))] * 99),
    415: lambda c: c.post("/predict", content=b"GIF89a"),
    422: lambda c: c.post("/predict", content=grey(0)[:40]),
    500: lambda c: c.post("/predict", content=grey(255)),
}


@pytest.mark.parametrize("line_format", ["text", "json"])
@pytest.mark.parametrize("status", CASES)
def test_each_answer_has_its_one_line_when_the_client_reads_its_end(
    threaded_server: Start, status: int, line_format: str
) -> None:
    server = threaded_server(FailingPredictor(), log_format=line_format)
    with server.client() as client:
        answer = CASES[status](client)
        lines = server.log_lines()
    assert (answer.status_code, len(lines)) == (status, 1)
    request = answer.request
    who = "-" if status == 401 else "env"
    stored = "1" if status == 200 else None
    if line_format == "json":
        entry = json.loads(lines[0])
        assert list(entry) == [
            "time",
            "client",
            "who",
            "method",
            "path",
            "status",
            "duration_ms",
            "bytes_in",
            "bytes_out",
            "prediction_id",
            "request_id",
            "user_agent",
        ]
        assert (entry["status"], entry["who"], entry["prediction_id"]) == (status, who, stored)
        assert entry["user_agent"].startswith("python-httpx")
    line = parsed(lines[0]) if line_format == "text" else None
    if line:
        assert (line.client, line.who, line.method, line.path) == ("127.0.0.1", who, request.method, request.url.path)
        assert (line.status, line.request_id) == (str(status), answer.headers["x-request-id"])
        assert line.bytes_out == str(len(answer.content))
        assert line.prediction == (f"id={stored}" if stored else "-")
        sent = int(request.headers.get("content-length", 0))
        assert int(line.bytes_in) == (sent if status not in (401, 404, 405) else 0)


def test_forbidden_overloaded_and_late_answers_have_their_lines_too(threaded_server: Start, home: object) -> None:
    secret = make_token(home, "no one", "metrics")  # type: ignore[arg-type]
    predictor = GatedPredictor()
    server = threaded_server(predictor, max_queue=1, max_batch_size=1, predict_timeout=1.0)
    with server.client() as client, server.client(secret) as other, ThreadPoolExecutor(8) as pool:
        assert other.get("/predict").status_code == 403
        late = [pool.submit(client.post, "/predict", content=grey(0)) for _ in range(8)]
        seen = sorted(future.result().status_code for future in late)
        predictor.gate.set()
    statuses = sorted(int(parsed(line).status) for line in server.log_lines())
    assert statuses == sorted([403, *seen])
    assert set(seen) == {503, 504}
    assert parsed(server.log_lines()[0]).who == "no one"


def test_ids_of_a_batch_stand_in_its_line(threaded_server: Start) -> None:
    server = threaded_server()
    with server.client() as client:
        client.post("/predict/batch", files=[("file", ("a", data)) for data in (grey(0), b"bad", grey(9))])
    assert parsed(server.log_lines()[0]).prediction == "id=1,2"


def test_client_that_leaves_while_the_model_works_is_logged_as_499(threaded_server: Start) -> None:
    predictor = GatedPredictor()
    server = threaded_server(predictor)
    with RawConnection(server.url) as raw:
        raw.request("POST", "/predict", token=server.token, body=grey(0))
        assert predictor.entered.wait(30)
    with server.client() as client:
        client.get("/livez")  # the loop has seen the end of the other connection by now
        predictor.gate.set()
        wait_until(lambda: len(server.log_lines()) == 2)
        assert client.get("/predict/1").status_code == 200  # it was begun, so it is stored
    line = parsed(server.log_lines()[1])
    assert (line.status, line.who, line.prediction) == ("499", "env", "id=1")


def test_client_that_leaves_in_the_middle_of_its_body_is_logged_as_499(threaded_server: Start) -> None:
    server = threaded_server()
    with RawConnection(server.url) as raw:
        raw.request("POST", "/predict", "Expect: 100-continue", "Content-Length: 1000", token=server.token)
        assert raw.answer().status == 100
    wait_until(server.log_lines)
    assert [parsed(line).status for line in server.log_lines()] == ["499"]


HOSTILE = (
    "/a%0d%0a2026-11-23T00:00:00.000Z%20|%20admin",
    "/%1b[31mred",
    "/%00",
    "/{}{0}{level}%s%(x)s",
    "/%7Bmessage%7D",
    "/%e2%80%ae%e2%80%a8",
    "/<red>x</red>",
    "/a|b|c",
    "/" + "x" * 5_000,
    "/%F0%9F%98%80",
    '/"quoted"',
    "/\\x1b\\n",
)


@pytest.mark.parametrize("line_format", ["text", "json"])
def test_no_text_of_a_client_can_forge_or_break_a_line(threaded_server: Start, line_format: str) -> None:
    server = threaded_server(log_format=line_format)
    with RawConnection(server.url) as raw:
        for path in HOSTILE:
            agent = f"User-Agent: {path}\x85\xa0 {{}} {{extra}} <level>"
            raw.request("GET", path, agent, f"X-Request-ID: {path}", token=server.token)
            assert raw.answer().status == 404
    lines = (server.home / "output.log").read_bytes().split(b"\n")
    assert lines.pop() == b""
    assert len(lines) == len(HOSTILE)
    for raw_line, path in zip(lines, HOSTILE, strict=True):
        text = raw_line.decode()
        assert text.isprintable()
        assert len(raw_line) < 4_096
        shown = json.loads(text)["path"] if line_format == "json" else parsed(text).path
        assert shown == path[:1_024]


def test_address_from_a_proxy_cannot_forge_fields(threaded_server: Start) -> None:
    server = threaded_server()
    with server.client() as client:
        client.get("/livez", headers={"X-Forwarded-For": "1.2.3.4 | admin | GET /x | 200"})
    line = parsed(server.log_lines()[0])
    assert (line.who, line.path, line.status) == ("env", "/livez", "200")


@pytest.mark.parametrize("line_format", ["text", "json"])
def test_tokens_never_stand_in_log_answers_or_history(threaded_server: Start, home: object, line_format: str) -> None:
    secret = make_token(home, "alice", "predict", "history")  # type: ignore[arg-type]
    server = threaded_server(log_format=line_format)
    answers = []
    for token in (secret, TOKEN):
        encoded = "".join(f"%{ord(character):02x}" for character in token)
        with server.client(token) as client:
            client.headers.update(
                {
                    "User-Agent": f"agent {token}",
                    "X-Request-ID": token,
                    "X-Forwarded-For": token,
                    "Referer": token,
                    "Cookie": token,
                }
            )
            for path in ("/livez", f"/{token}", f"/{encoded}", f"/livez?token={token}"):
                answers.append(client.get(path))
            answers.append(client.post("/predict", content=grey(0)))
            answers.append(client.post("/predict", content=grey(0), headers={"Authorization": f"x {token}"}))
            answers.append(client.post("/predict", files={"file": (f"{token}.png", grey(0))}))
            answers.append(client.post("/predict/batch", files={"file": (f"x {token}", grey(0))}))
            picture = base64.b64encode(grey(0)).decode()
            answers.append(client.post("/predict", json={"image": picture, "file_name": f"{token}/{token}"}))
    log = (server.home / "output.log").read_text()
    for token in (secret, TOKEN):
        assert token not in log
        assert "".join(f"%{ord(character):02x}" for character in token) not in log
        for answer in answers:
            assert token not in str(answer.headers)
            assert token not in answer.text
        for file in server.home.iterdir():
            assert token.encode() not in file.read_bytes(), file.name
    assert len(log.splitlines()) == len(answers)


def test_lines_of_many_clients_at_once_are_whole_and_as_many_as_answers(threaded_server: Start) -> None:
    server = threaded_server()
    with server.client() as client, ThreadPoolExecutor(16) as pool:
        paths = ["/livez", "/nothing", "/predict?limit=1", "/predict?limit=x"] * 50
        ids = {answer.headers["x-request-id"] for answer in pool.map(client.get, paths)}
    lines = [parsed(line) for line in server.log_lines()]
    assert {line.request_id for line in lines} == ids
    assert len(lines) == len(paths)


def test_bytes_out_of_head_are_none(threaded_server: Start) -> None:
    server = threaded_server()
    with server.client() as client:
        client.head("/nothing")
        client.head("/livez")
    assert [parsed(line).bytes_out for line in server.log_lines()] == ["0", "0"]
