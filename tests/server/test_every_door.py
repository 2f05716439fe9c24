"""Every route × method × credentials × spelling of the path, and × host and page: who is let in, by one small rule.

The table is that of the app itself, so that a route which is added is asked for by this test.
"""

import base64
import itertools
from collections.abc import Iterator

import pytest

from cvserve.server.app import make_routes
from cvserve.server.routes import Methods
from support.fakes import BrightnessPredictor
from support.raw import RawConnection
from support.threaded import TOKEN, ThreadedServer
from support.tokens import make_token, revoke_token

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND")
# Of a path: as it is, with a letter written as its code, and four that are no such path.
SPELLINGS = {
    "{}": True,
    "/%{letter:02x}{rest}": True,
    "{}%0a": False,
    "/%2f{letter:c}{rest}": False,
    "{}/": False,
    "{}%00": False,
}
FOREIGN_PAGE = "Origin: https://evil.example"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ThreadedServer, dict[str, str]]]:
    """A server, and what a caller may send to say who he is."""
    home = tmp_path_factory.mktemp("doors")
    secrets = {scope: make_token(home, scope, scope) for scope in ("predict", "history", "metrics", "admin")}
    gone = make_token(home, "gone")
    revoke_token(home, "gone")
    basic = base64.b64encode(f"me:{TOKEN}".encode()).decode()
    credentials = {scope: f"Authorization: Bearer {secret}" for scope, secret in secrets.items()} | {
        "all": f"X-API-Key: {TOKEN}",
        "basic": f"Authorization: Basic {basic}",
        "none": "X-Nothing: x",
        "wrong": "Authorization: Bearer cvs_unknown",
        "revoked": f"Authorization: Bearer {gone}",
        "longer": f"Authorization: Bearer {TOKEN}x",
        "in the query": "X-Nothing: y",
    }
    server = ThreadedServer(home, BrightnessPredictor())
    yield server, credentials
    server.stop()


def spell(path: str, spelling: str) -> str:
    """A path of the table, as it is sent."""
    path = path.replace("{id}", "1")
    return spelling.format(path, letter=ord(path[1]), rest=path[2:])


def expect(route: Methods, method: str, who: str, *, exists: bool, is_foreign: bool = False) -> set[int]:
    """The statuses that an answer may have."""
    if who in ("none", "wrong", "revoked", "longer", "in the query"):
        return {401}
    if is_foreign and who == "basic" and method not in ("GET", "HEAD", "OPTIONS"):
        return {403}
    is_item = route.path.endswith("{id}")
    if not exists and not is_item:
        # The item's route takes any text as its id, `batch%0a` too.
        return {404} if not route.path.startswith("/predict/") else {403, 404, 405, 204}
    if method not in {*route.endpoints, "OPTIONS"}:
        return {404, 405}
    scope = route.endpoints[method].scope if method in route.endpoints else None
    if scope is not None and who not in ("all", "basic", scope) and not (who == "history" and scope == "predict"):
        return {403, 404} if not exists else {403}
    return {200, 204, 404, 415, 422} | ({403} if who == "history" else set())  # which reads, but predicts not


def test_nobody_is_let_in_wrongly(server: tuple[ThreadedServer, dict[str, str]]) -> None:
    running, credentials = server
    routes = make_routes(running.resources)
    asked = 0
    with RawConnection(running.url) as raw:
        for route, method, who, spelling in itertools.product(routes, METHODS, credentials, SPELLINGS):
            target = spell(route.path, spelling) + (f"?token={TOKEN}" if who == "in the query" else "")
            status = raw.request(method, target, credentials[who]).answer(to_head=method == "HEAD").status
            allowed = expect(route, method, who, exists=SPELLINGS[spelling])
            assert status in allowed, (method, target, who, status)
            asked += 1
    assert asked == len(routes) * len(METHODS) * len(credentials) * len(SPELLINGS)


def test_a_foreign_page_gets_no_further_with_any_credentials(server: tuple[ThreadedServer, dict[str, str]]) -> None:
    running, credentials = server
    with RawConnection(running.url) as raw:
        for route, method, who in itertools.product(make_routes(running.resources), METHODS, credentials):
            target = spell(route.path, "{}")
            raw.request(method, target, credentials[who], FOREIGN_PAGE)
            status = raw.answer(to_head=method == "HEAD").status
            assert status in expect(route, method, who, exists=True, is_foreign=True), (method, target, who, status)


def test_without_tokens_the_host_decides_first_and_then_the_page(tmp_path_factory: pytest.TempPathFactory) -> None:
    running = ThreadedServer(tmp_path_factory.mktemp("open"), BrightnessPredictor(), no_auth=True)
    try:
        with RawConnection(running.url) as raw:
            for route, method, page in itertools.product(
                make_routes(running.resources), METHODS, ("X: y", FOREIGN_PAGE)
            ):
                for host, ours in (("localhost", True), ("evil.example", False), ("a@localhost", None)):
                    raw.send(f"{method} {spell(route.path, '{}')} HTTP/1.1\r\nHost: {host}\r\n{page}\r\n\r\n".encode())
                    status = raw.answer(to_head=method == "HEAD").status
                    writes = page == FOREIGN_PAGE and method not in ("GET", "HEAD", "OPTIONS")
                    if not ours:
                        assert status == (421 if ours is False else 400)
                    else:
                        assert (status == 403) == writes, (method, route.path, status)
    finally:
        running.stop()
