"""The header `Host`: one, well formed, and ours where no token is asked for."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from cvserve import Settings, create_app
from cvserve.server.context import Receive, Scope, Send
from support.answers import assert_problem
from support.fakes import BrightnessPredictor
from support.pictures import grey
from support.raw import RawAnswer, RawConnection
from support.threaded import TOKEN, ThreadedServer

Start = Callable[..., ThreadedServer]
OURS = ("localhost", "LOCALHOST:99", "localhost.", "127.0.0.1", "127.0.0.1:8000", "127.9.9.9:1", "[::1]", "[::1]:8000",
        "app.localhost:3000", "127.0.0.1:")  # fmt: skip
FOREIGN = ("evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example", "192.0.2.1",
           "[2001:db8::1]:80", "0.0.0.0", "127.1", "2130706433", "notlocalhost", "xn--lcalhost-o4a")  # fmt: skip
NO_HOST = ("", "a b", "evil/../", "a?b", "a#b", "user@localhost", "localhost:x", "localhost:123456", "[::1", "::1",
           "[evil]", "a,b", "http://localhost", "loc\\alhost", "l\xf6calhost", "%6cocalhost", "x" * 400)  # fmt: skip


def ask(server: ThreadedServer, lines: str, token: str | None = TOKEN) -> RawAnswer:
    """One request, all of whose head but the token is given."""
    with RawConnection(server.url) as raw:
        token_line = f"Authorization: {token}\r\n" if token else ""
        raw.send(f"{lines}\r\n{token_line}\r\n".encode("latin-1"))
        return raw.answer()


@pytest.mark.parametrize("path", ["/predict", "/nothing"])
def test_request_without_a_host_or_with_two_is_broken(shared: ThreadedServer, path: str) -> None:
    for hosts in ("", "\r\nHost: a\r\nHost: b", "\r\nHost: a\r\nX: y\r\nhost: a"):
        for token in (TOKEN, None):
            assert_problem(ask(shared, f"GET {path} HTTP/1.1{hosts}", token), "malformed_body")


@pytest.mark.parametrize("host", NO_HOST)
def test_what_cannot_be_a_host_is_broken(shared: ThreadedServer, host: str) -> None:
    assert_problem(ask(shared, f"GET /livez HTTP/1.1\r\nHost: {host}"), "malformed_body")


def test_http_1_0_has_no_host(shared: ThreadedServer) -> None:
    assert ask(shared, "GET /livez HTTP/1.0").status == 200


@pytest.mark.parametrize("host", [*OURS, *FOREIGN])
def test_with_a_token_any_host_is_answered(shared: ThreadedServer, host: str) -> None:
    assert ask(shared, f"GET /livez HTTP/1.1\r\nHost: {host}").status == 200


def test_without_tokens_only_this_machines_names_are_answered(threaded_server: Start) -> None:
    server = threaded_server(no_auth=True)
    for host in OURS:
        assert ask(server, f"GET /livez HTTP/1.1\r\nHost: {host}", None).status == 200, host
    for host in FOREIGN:
        for path in ("/livez", "/predict", "/nothing"):
            assert_problem(ask(server, f"GET {path} HTTP/1.1\r\nHost: {host}", None), "misdirected")
    assert_problem(
        ask(server, "POST /predict HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 0", None), "misdirected"
    )
    assert all("| 421 |" in line for line in server.log_lines()[len(OURS) :])


@pytest.mark.parametrize("settings", [{}, {"no_auth": True}])
def test_listed_hosts_are_answered_and_no_others(threaded_server: Start, settings: dict[str, bool]) -> None:
    server = threaded_server(allowed_hosts=("digits.example.org", "*.internal"), **settings)
    token = server.token
    for host in ("Digits.Example.org", "digits.example.org:443", "a.internal", "a.b.internal:80", "127.0.0.1:80"):
        assert ask(server, f"GET /livez HTTP/1.1\r\nHost: {host}", token).status == 200, host
    for host in ("example.org", "x.digits.example.org", "internal", "xinternal", "a.internal.example.org"):
        assert_problem(ask(server, f"GET /livez HTTP/1.1\r\nHost: {host}", token), "misdirected")


@pytest.mark.parametrize("settings", [{}, {"no_auth": True}])
def test_open_health_is_answered_under_any_name(threaded_server: Start, settings: dict[str, bool]) -> None:
    """A probe asks the address of a container or a machine; a broken `Host` is broken all the same."""
    server = threaded_server(public_health=True, allowed_hosts=("digits.example.org",), **settings)
    for path in ("/livez", "/readyz"):
        answer = ask(server, f"GET {path} HTTP/1.1\r\nHost: 192.0.2.7:8000", None)
        assert (answer.status, list(answer.json())) == (200, ["status"])
        for hosts in ("Host: a b", "Host: a\r\nHost: b", "X: y"):
            assert_problem(ask(server, f"GET {path} HTTP/1.1\r\n{hosts}", None), "malformed_body")
    assert_problem(ask(server, "GET /predict HTTP/1.1\r\nHost: 192.0.2.7:8000", server.token), "misdirected")


def test_refusal_names_the_name_and_the_way_out(threaded_server: Start) -> None:
    server = threaded_server(no_auth=True)
    problem = assert_problem(ask(server, "GET /predict HTTP/1.1\r\nHost: My.Example:80", None), "misdirected")
    assert "'My.Example'" in problem["detail"]
    assert "allowed_hosts" in problem["detail"]


@pytest.mark.parametrize(
    ("server", "listed", "status"),
    [(("testserver", 80), (), 200), (("10.1.2.3", 80), (), 200), (("/run/app.sock", None), (), 200),
     (("127.0.0.1", 80), (), 421), (("::1", 80), (), 421), (("::ffff:127.0.0.1", 80), (), 421), (None, (), 421),
     (("testserver", 80), ("other",), 421), (("127.0.0.1", 80), ("testserver",), 200)],
)  # fmt: skip
def test_app_in_another_one_is_strict_where_only_this_machine_can_ask(
    home: Path, server: tuple[str, int | None] | None, listed: tuple[str, ...], status: int
) -> None:
    """An outer app listens where it likes and under which names it likes; a rebound name leads to loopback."""
    settings = Settings(home=home, no_auth=True, workers=0, allowed_hosts=listed)
    app = create_app(settings, predictor=BrightnessPredictor())

    async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "server": server}, receive, send)

    async def get() -> int:
        transport = httpx.ASGITransport(mounted)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            answer = await client.get("/livez")
        await app.resources.close()  # type: ignore[attr-defined]
        return answer.status_code

    assert asyncio.run(get()) == status


def test_host_in_the_target_counts(threaded_server: Start) -> None:
    server = threaded_server(no_auth=True)
    assert ask(server, "GET http://localhost:5/livez HTTP/1.1\r\nHost: evil.example", None).status == 200
    assert_problem(ask(server, "GET http://evil.example/livez HTTP/1.1\r\nHost: localhost", None), "misdirected")
    for target in ("ftp://localhost/livez", "http://a@localhost/livez"):
        assert_problem(ask(server, f"GET {target} HTTP/1.1\r\nHost: localhost", None), "malformed_body")
    assert_problem(ask(server, "GET http://localhost/livez HTTP/1.1", None), "malformed_body")


def test_client_library_is_answered_without_a_token_as_before(threaded_server: Start) -> None:
    server = threaded_server(no_auth=True)
    with server.client() as client:
        assert client.post("/predict", content=grey(0)).status_code == 200
