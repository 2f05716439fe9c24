"""The table of paths: methods, HEAD, OPTIONS, 404, and a scope for each."""

import httpx
import pytest

from cvserve.server.endpoints.health import Live
from cvserve.server.routes import Endpoint
from support.answers import assert_problem
from support.pictures import grey

METHODS = {
    "/predict": {"GET", "HEAD", "OPTIONS", "POST", "PUT"},
    "/predict/batch": {"OPTIONS", "POST"},
    "/predict/1": {"GET", "HEAD", "OPTIONS"},
    "/livez": {"GET", "HEAD", "OPTIONS"},
    "/readyz": {"GET", "HEAD", "OPTIONS"},
}
ALL_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "OPTIONS", "PROPFIND")


@pytest.mark.parametrize("path", METHODS)
@pytest.mark.parametrize("method", ALL_METHODS)
def test_wrong_method_names_all_methods_of_the_path(client: httpx.Client, path: str, method: str) -> None:
    answer = client.request(method, path)
    if method == "HEAD" and path == "/predict/batch":
        assert answer.status_code == 405
    elif method not in METHODS[path]:
        assert_problem(answer, "method_not_allowed")
        assert set(answer.headers["allow"].split(", ")) == METHODS[path]
    else:
        assert answer.status_code != 405


@pytest.mark.parametrize("path", METHODS)
def test_options_tells_the_methods_and_has_no_body(client: httpx.Client, path: str) -> None:
    answer = client.options(path)
    assert (answer.status_code, answer.content) == (204, b"")
    assert set(answer.headers["allow"].split(", ")) == METHODS[path]
    assert "content-length" not in answer.headers  # RFC 9110 section 8.6


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/predict?limit=3", "/predict/1"])
def test_head_is_get_without_its_body(client: httpx.Client, path: str) -> None:
    client.post("/predict", content=grey(0))
    get, head = client.get(path), client.head(path)
    assert (head.status_code, head.content) == (get.status_code, b"")
    assert head.headers["content-length"] == str(len(get.content))
    assert head.headers["content-type"] == get.headers["content-type"]


def test_head_of_what_is_not_there_has_no_body(client: httpx.Client) -> None:
    answer = client.head("/predict/999999")
    assert (answer.status_code, answer.content) == (404, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/predict/",
        "/predict/1/",
        "/predict/1/2",
        "//predict",
        "/Predict",
        "/./predict;x",
        "/predict;x",
        "/%00",
        "/predict%00",
        "/favicon.ico",
        "/static/../../etc/passwd",
        "/health",
        "/metricsx",
        "/livez/",
        "/livez%0a",
        "/livez%0A",
        "/readyz%0d",
        "/predict%0a",
        "/predict%2Fbatch",
        "/predict%2f1",
        "/%2Fpredict",
        "/predict%5Cbatch",
        "/x" * 1_000,
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_unknown_path_is_not_found(client: httpx.Client, path: str, method: str) -> None:
    answer = client.send(
        client.build_request(method, httpx.URL(str(client.base_url)).copy_with(raw_path=path.encode()))
    )
    assert_problem(answer, "not_found")


@pytest.mark.parametrize("path", ["/predict/1%0a", "/predict/1%2F", "/predict/%31%20", "/predict/%C0%B1"])
def test_id_with_something_behind_it_is_not_found(client: httpx.Client, path: str) -> None:
    client.post("/predict", content=grey(0))
    assert_problem(client.get(path), "not_found")


def test_letter_may_be_written_as_its_code(client: httpx.Client) -> None:
    stored = client.post("/%70redict", content=grey(0)).json()["id"]
    assert client.get(f"/pr%65dict/%3{stored % 10}").status_code in (200, 404)  # the route of one prediction
    assert client.get("/%6civez").json() == {"status": "live"}


def test_method_override_is_ignored(client: httpx.Client) -> None:
    answer = client.get("/livez", headers={"X-HTTP-Method-Override": "DELETE"})
    assert answer.status_code == 200


def test_every_answer_is_marked_as_not_to_be_guessed_or_kept(client: httpx.Client) -> None:
    for path in ("/livez", "/nothing", "/predict?limit=1"):
        headers = client.get(path).headers
        assert (headers["x-content-type-options"], headers["cache-control"]) == ("nosniff", "no-store")
        assert "server" not in headers


def test_route_with_an_unknown_scope_fails_at_start() -> None:
    with pytest.raises(ValueError, match="no such scope"):
        Endpoint(Live(), "everything")
