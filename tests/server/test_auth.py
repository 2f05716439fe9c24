"""A token on every endpoint: before routing, before the body, for whatever path and method."""

import base64
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from cvserve.server.app import make_routes
from cvserve.store.sqlite import sqlite3
from support.answers import assert_problem
from support.fakes import BrightnessPredictor
from support.pictures import grey
from support.raw import RawConnection
from support.threaded import TOKEN, ThreadedServer
from support.tokens import make_token, revoke_token

Start = Callable[..., ThreadedServer]
PATHS = (
    "/predict",
    "/predict/batch",
    "/predict/1",
    "/predict/999",
    "/livez",
    "/readyz",
    "/metrics",
    "/openapi.json",
    "/docs",
    "/",
    "/nothing",
    "/login/",
    "/v2/health/live",
    "/static/x",
    "//predict",
    "/predict/",
    "/./predict",
    "/x/../predict",
    "/%70redict",
    "/predict%00",
    "/predict;x",
    "/PREDICT",
    "/predict%2f1",
    "/predict?token=" + TOKEN,
    "/predict?access_token=" + TOKEN,
    "/%2e%2e/predict",
    "/predict#x",
    "/\\predict",
    "/predict//1",
    "/livez%2f",
    "/livez?x",
    "/readyz;",
    "/predict/%C0%AE",
    "http://other/predict",
    "http://other:99/livez?x=1",
)
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND")
BASIC = base64.b64encode(f"me:{TOKEN}".encode()).decode()
BAD_HEADERS = (
    (),
    ("Authorization:",),
    ("Authorization: Bearer",),
    ("Authorization: Bearer ",),
    ("Authorization: Basic",),
    (f"Authorization: Bearer  {TOKEN}",),
    (f"Authorization: Bearer {TOKEN} x",),
    (f"Authorization: Bearer {TOKEN}\xa0",),
    ("Authorization: \t ",),
    (f"Authorization: Digest {TOKEN}",),
    (f"Authorization: Token {TOKEN}",),
    (f"Authorization: Bearer {TOKEN}x",),
    (f"Authorization: Bearer {TOKEN[:-1]}",),
    (f"Authorization: Bearer {TOKEN.upper()}",),
    (f"Authorization: Bearer {TOKEN}%00",),
    ("Authorization: Bearer cvs_unknown",),
    (f"Authorization: Bearer {'x' * 257}",),
    (f"Authorization: Bearer {'x' * 15_000}",),
    ("Authorization: Bearer \xe4\xff",),
    ("Authorization: Basic !!!",),
    ("Authorization: Basic /w==",),
    ("Authorization: Basic bm9jb2xvbg==",),
    (f"Authorization: Basic {base64.b64encode(f'{TOKEN}:'.encode()).decode()}",),
    (f"Authorization: Bearer {TOKEN}", f"Authorization: Bearer {TOKEN}"),
    (f"Authorization: Bearer {TOKEN}", f"X-API-Key: {TOKEN}"),
    ("Authorization: Bearer wrong", f"Authorization: {TOKEN}"),
    ("X-API-Key: wrong",),
    (f"X-API-Key: Bearer {TOKEN}",),
    (f"Cookie: token={TOKEN}",),
    (f"Proxy-Authorization: Bearer {TOKEN}",),
    (f"X-Token: {TOKEN}",),
    ("X-Forwarded-User: admin",),
    ("Authorization: ' OR 1=1 --",),
)
GOOD_HEADERS = (
    f"Authorization: Bearer {TOKEN}",
    f"Authorization: bearer {TOKEN}",
    f"Authorization: BEARER {TOKEN}",
    f"Authorization: {TOKEN}",
    f"authorization:{TOKEN}",
    f"X-API-Key: {TOKEN}",
    f"Authorization: Bearer {TOKEN} \t ",
    f"Authorization: \t {TOKEN}\t",
    f"X-API-Key: {TOKEN} ",
    f"Authorization: Basic {BASIC} ",
    f"Authorization: Basic {BASIC}",
    f"Authorization: basic {BASIC}",
)


@pytest.fixture
def raw(shared: ThreadedServer) -> Iterator[RawConnection]:
    with RawConnection(shared.url) as connection:
        yield connection


@pytest.mark.parametrize("path", PATHS)
def test_no_path_and_no_method_answers_without_a_token(raw: RawConnection, path: str) -> None:
    for method in METHODS:
        answer = raw.request(method, path).answer(to_head=method == "HEAD")
        if method == "HEAD":
            assert answer.status == 401
        else:
            assert_problem(answer, "unauthenticated")
        assert answer.headers["www-authenticate"] == 'Bearer realm="cvserve"'


def test_every_route_of_the_app_is_in_this_test(shared: ThreadedServer) -> None:
    for path in (route.path for route in make_routes(shared.resources)):
        assert path.replace("{id}", "1") in PATHS, f"add {path} to PATHS"


@pytest.mark.parametrize("headers", BAD_HEADERS)
def test_what_is_no_token_opens_nothing(raw: RawConnection, headers: tuple[str, ...]) -> None:
    bodies = set()
    for path in ("/predict", "/livez", "/nothing"):
        encoded = [header.encode("latin-1").decode("latin-1") for header in headers]
        answer = raw.request("GET", path, *encoded).answer()
        body = assert_problem(answer, "unauthenticated")
        bodies.add(body["detail"])
        sent = any(
            header.split(":")[0].lower() in ("authorization", "x-api-key") and header.split(":")[1].strip(" \t")
            for header in headers
        )
        assert ('error="invalid_token"' in answer.headers["www-authenticate"]) == sent
    assert len(bodies) == 1


@pytest.mark.parametrize("header", GOOD_HEADERS)
def test_token_is_taken_in_the_ways_that_other_servers_take_it(raw: RawConnection, header: str) -> None:
    assert raw.request("GET", "/livez", header).answer().status == 200


def test_unknown_revoked_and_expired_tokens_get_the_same_answer(threaded_server: Start, home: Path) -> None:
    expired = make_token(home, "old", lifetime=timedelta(microseconds=1))
    revoked = make_token(home, "gone")
    revoke_token(home, "gone")
    server = threaded_server()
    seen = set()
    for secret in (expired, revoked, "cvs_" + "x" * 47):
        with server.client(secret) as client:
            answer = client.get("/predict")
            body = assert_problem(answer, "unauthenticated")
            seen.add((body["detail"], body["title"], answer.headers["www-authenticate"]))
    assert len(seen) == 1


def test_refusal_comes_before_the_body_is_read(shared: ThreadedServer) -> None:
    with RawConnection(shared.url) as raw:
        raw.request("POST", "/predict", "Content-Length: 10000000000", "Content-Type: image/png")
        answer = raw.answer()
        assert_problem(answer, "unauthenticated")
        assert answer.headers["connection"] == "close"
        assert raw.is_closed()


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        (("Content-Length: 1000",), "unauthenticated"),
        ((f"Authorization: {TOKEN}", f"Content-Length: {21 * 1024**2}"), "payload_too_large"),
        ((f"Authorization: {TOKEN}", "Content-Length: 1000", "Content-Encoding: gzip"), "unsupported_media_type"),
    ],
)
def test_client_that_waits_for_100_gets_the_refusal_without_it(
    raw: RawConnection, headers: tuple[str, ...], code: str
) -> None:
    raw.request("POST", "/predict", "Expect: 100-continue", *headers)
    assert_problem(raw.answer(), code)


def test_client_that_waits_for_100_gets_it_with_a_token(raw: RawConnection) -> None:
    picture = grey(0)
    raw.request("POST", "/predict", "Expect: 100-continue", f"Content-Length: {len(picture)}", token=TOKEN)
    assert raw.answer().status == 100
    raw.send(picture)
    assert raw.answer().status == 200


def test_connection_goes_on_after_a_refusal_with_a_small_body(raw: RawConnection) -> None:
    assert raw.request("POST", "/predict", body=grey(0)).answer().status == 401
    assert raw.request("POST", "/predict", token=TOKEN, body=grey(0)).answer().status == 200


SCOPE_OF = {
    ("GET", "/predict"): "predict",
    ("HEAD", "/predict"): "predict",
    ("POST", "/predict"): "predict",
    ("PUT", "/predict"): "predict",
    ("POST", "/predict/batch"): "predict",
    ("GET", "/predict/1"): "predict",
    ("HEAD", "/predict/1"): "predict",
    ("GET", "/livez"): None,
    ("GET", "/readyz"): None,
    ("OPTIONS", "/predict"): None,
}


@pytest.fixture(scope="module")
def scoped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ThreadedServer, dict[str, str]]]:
    """A server, and a token for each scope alone."""
    home = tmp_path_factory.mktemp("scoped")
    secrets = {scope: make_token(home, scope, scope) for scope in ("predict", "history", "metrics", "admin")}
    server = ThreadedServer(home, BrightnessPredictor())
    yield server, secrets
    server.stop()


@pytest.mark.parametrize("scope", ["predict", "history", "metrics", "admin"])
@pytest.mark.parametrize(("method", "path"), SCOPE_OF)
def test_good_token_without_the_scope_is_forbidden(
    scoped: tuple[ThreadedServer, dict[str, str]], scope: str, method: str, path: str
) -> None:
    server, secrets = scoped
    needed = SCOPE_OF[method, path]
    with server.client(secrets[scope]) as client:
        answer = client.request(method, path)
    if needed in (None, scope):
        assert answer.status_code not in (401, 403)
    elif method == "HEAD":
        assert answer.status_code == 403
    else:
        assert_problem(answer, "forbidden")
        assert f'scope="{needed}"' in answer.headers["www-authenticate"]


def test_one_sees_only_ones_own_rows_unless_one_may_read_the_history(threaded_server: Start, home: Path) -> None:
    names = {"alice": ("predict",), "bob": ("predict",), "eve": ("predict", "history")}
    secrets = {name: make_token(home, name, *scopes) for name, scopes in names.items()}
    server = threaded_server()
    clients = {name: server.client(secret) for name, secret in secrets.items()}
    for name in ("alice", "bob", "alice", "eve", "bob", "alice"):
        clients[name].post("/predict", content=grey(0)).raise_for_status()

    def seen(name: str, query: str = "") -> tuple[list[int], str | None]:
        answer = clients[name].get(f"/predict{query}")
        return [row["id"] for row in answer.json()], answer.headers.get("x-total-count")

    assert seen("alice") == ([1, 3, 6], "3")
    assert seen("bob") == ([2, 5], "2")
    assert seen("eve") == ([1, 2, 3, 4, 5, 6], "6")
    assert seen("alice", "?limit=2&order=desc") == ([6, 3], "3")
    assert seen("bob", "?label=black&count=true") == ([2, 5], "2")
    assert seen("bob", "?source=http&model=brightness") == ([2, 5], None)
    for id_ in range(1, 8):
        for name, own in (("alice", {1, 3, 6}), ("bob", {2, 5}), ("eve", set(range(1, 7)))):
            answer = clients[name].get(f"/predict/{id_}")
            if id_ in own:
                assert answer.json()["id"] == id_
            else:
                assert_problem(answer, "not_found")
    foreign, unknown = clients["alice"].get("/predict/2").json(), clients["alice"].get("/predict/7").json()
    assert foreign["detail"] == unknown["detail"]
    for client in clients.values():
        client.close()


def test_tokens_that_cannot_be_read_let_nobody_in(threaded_server: Start, home: Path) -> None:
    secret = make_token(home, "alice")
    server = threaded_server()
    with server.client(secret) as client:
        assert client.get("/livez").status_code == 200
        database = sqlite3.connect(server.settings.database_path)
        database.execute("ALTER TABLE tokens RENAME TO away")
        database.commit()
        answer = client.get("/livez")
        while answer.status_code == 200:  # what was read a moment ago is still believed
            answer = client.get("/livez")
        assert_problem(answer, "history_unavailable")
        with server.client("cvs_unknown") as stranger:
            assert_problem(stranger.get("/livez"), "history_unavailable")
        database.execute("ALTER TABLE away RENAME TO tokens")
        database.commit()
        database.close()
        assert client.get("/livez").status_code == 200


def test_no_auth_lets_everybody_in_as_anonymous(threaded_server: Start) -> None:
    server = threaded_server(no_auth=True)
    with httpx.Client(base_url=server.url, verify=False) as client:
        assert client.post("/predict", content=grey(0)).json()["id"] == 1
        assert len(client.get("/predict", headers={"Authorization": "Bearer whatever"}).json()) == 1
    assert all("| anonymous |" in line for line in server.log_lines())


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:8000"])
def test_other_origins_hear_nothing_of_cors(client: httpx.Client, origin: str) -> None:
    preflight = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    for answer in (client.options("/predict", headers=preflight), client.get("/livez", headers={"Origin": origin})):
        assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("forwarded", ["1.2.3.4", "10.0.0.1, 1.2.3.4"])
def test_forwarded_address_is_logged_only_from_a_trusted_proxy(threaded_server: Start, forwarded: str) -> None:
    server = threaded_server(forwarded_allow_ips="192.0.2.1")
    with server.client() as client:
        client.get("/livez", headers={"X-Forwarded-For": forwarded})
    assert "| 127.0.0.1 |" in server.log_lines()[-1]


def test_address_behind_a_trusted_proxy_is_the_clients(shared: ThreadedServer) -> None:
    with shared.client() as client:
        client.get("/livez", headers={"X-Forwarded-For": "6.6.6.6, 203.0.113.7"})
    assert "| 203.0.113.7 |" in shared.log_lines()[-1]
