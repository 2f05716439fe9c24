"""A page of another site makes a browser send a request: it may not write where no token is asked for."""

import base64
from collections.abc import Callable, Iterator

import httpx
import pytest

from support.answers import assert_problem
from support.fakes import BrightnessPredictor
from support.pictures import grey
from support.threaded import TOKEN, ThreadedServer

FOREIGN: tuple[dict[str, str], ...] = (
    {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:1"},
    {"Sec-Fetch-Site": "anything"},
    {"Sec-Fetch-Site": ""},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "http://127.0.0.1:1"},
    {"Origin": "http://localhost"},
)
BASIC = {"Authorization": "Basic " + base64.b64encode(f"me:{TOKEN}".encode()).decode()}


@pytest.fixture(scope="module")
def open_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThreadedServer]:
    server = ThreadedServer(
        tmp_path_factory.mktemp("open"), BrightnessPredictor(), no_auth=True, cors_origin=("https://ours.example",)
    )
    yield server
    server.stop()


@pytest.mark.parametrize("headers", FOREIGN)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_foreign_page_cannot_write_without_a_token(
    open_server: ThreadedServer, method: str, headers: dict[str, str]
) -> None:
    with open_server.client() as client:
        before = client.get("/predict?limit=1&count=true").headers["x-total-count"]
        for path in ("/predict", "/predict/batch", "/nothing"):
            assert_problem(client.request(method, path, content=grey(0), headers=headers), "csrf_rejected")
        assert client.get("/predict?limit=1&count=true").headers["x-total-count"] == before


@pytest.mark.parametrize("headers", FOREIGN)
def test_reading_is_not_refused_as_the_browser_keeps_the_answer_to_itself(
    open_server: ThreadedServer, headers: dict[str, str]
) -> None:
    with open_server.client() as client:
        assert client.get("/predict?limit=1", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://behind-a-proxy.example"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://ours.example"},
        {"Origin": "https://OURS.example"},
        {"Origin": "https://evil.example", "X-API-Key": "no page can send this by itself"},
        {"Sec-Fetch-Site": "cross-site", "Authorization": "Bearer x"},
    ],
)
def test_own_pages_listed_ones_and_programs_may_write(open_server: ThreadedServer, headers: dict[str, str]) -> None:
    with open_server.client() as client:
        assert client.post("/predict", content=grey(0), headers=headers).status_code == 200


def test_own_origin_is_that_of_the_host(open_server: ThreadedServer) -> None:
    with open_server.client() as client:
        headers = {"Origin": open_server.url}
        assert client.post("/predict", content=grey(0), headers=headers).status_code == 200


@pytest.mark.parametrize("headers", FOREIGN)
def test_basic_credentials_are_sent_by_browsers_unasked(client: httpx.Client, headers: dict[str, str]) -> None:
    assert_problem(client.post("/predict", content=grey(0), headers=headers | BASIC), "csrf_rejected")
    assert client.post("/predict", content=grey(0), headers=BASIC).status_code == 200
    assert client.post("/predict", content=grey(0), headers=headers).status_code == 200  # a token of its own


@pytest.mark.parametrize("headers", FOREIGN)
def test_without_a_token_the_answer_is_401_first(shared: ThreadedServer, headers: dict[str, str]) -> None:
    assert_problem(httpx.post(f"{shared.url}/predict", content=grey(0), headers=headers), "unauthenticated")


def test_every_origin_may_be_allowed(threaded_server: Callable[..., ThreadedServer]) -> None:
    server = threaded_server(no_auth=True, cors_origin=("*",))
    with server.client() as client:
        answer = client.post("/predict", content=grey(0), headers=FOREIGN[0])
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "*")
