"""Cross-origin requests: listed origins may call, and without a token only their preflights are answered."""

from collections.abc import Callable, Iterator

import httpx
import pytest

from support.answers import assert_problem
from support.fakes import BrightnessPredictor
from support.lines import parsed
from support.pictures import grey
from support.threaded import TOKEN, ThreadedServer

OURS = "https://ours.example"
ASKS = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThreadedServer]:
    server = ThreadedServer(tmp_path_factory.mktemp("cors"), BrightnessPredictor(), cors_origin=(OURS,))
    yield server
    server.stop()


@pytest.fixture
def stranger(server: ThreadedServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, verify=False) as client:
        yield client


def shared_with(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control")}


@pytest.mark.parametrize(
    ("path", "methods"), [("/predict", {"POST", "PUT", "GET"}), ("/predict/7", {"GET"}), ("/livez", {"GET"})]
)
def test_preflight_of_a_listed_origin_needs_no_token(
    server: ThreadedServer, stranger: httpx.Client, path: str, methods: set[str]
) -> None:
    answer = stranger.options(path, headers={"Origin": OURS, **ASKS})
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == OURS
    assert answer.headers["vary"] == "Origin"
    assert methods <= set(answer.headers["access-control-allow-methods"].split(", "))
    assert "Authorization" in answer.headers["access-control-allow-headers"]
    line = parsed(server.log_lines()[-1])
    assert (line.who, line.method, line.path, line.status) == ("-", "OPTIONS", path, "204")


@pytest.mark.parametrize("path", ["/nothing", "/", "/predict/", "/livez%0a", "/predict%2fbatch"])
def test_preflight_does_not_say_which_paths_there_are(stranger: httpx.Client, path: str) -> None:
    answer = stranger.options(path, headers={"Origin": OURS, **ASKS})
    assert_problem(answer, "unauthenticated")


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "", OURS + ".evil.example", "http://ours.example"])
def test_preflight_of_others_is_an_ordinary_request(stranger: httpx.Client, origin: str) -> None:
    for path in ("/predict", "/nothing"):
        answer = stranger.options(path, headers={"Origin": origin, **ASKS})
        assert_problem(answer, "unauthenticated")
        assert not shared_with(answer)


def test_options_that_is_no_preflight_asks_for_a_token(stranger: httpx.Client) -> None:
    assert_problem(stranger.options("/predict", headers={"Origin": OURS}), "unauthenticated")
    assert_problem(stranger.options("/predict", headers=ASKS), "unauthenticated")


def test_page_of_a_listed_origin_can_read_answers_and_errors(server: ThreadedServer) -> None:
    with server.client() as client:
        for answer in (
            client.post("/predict", content=grey(0), headers={"Origin": OURS}),
            client.get("/nothing", headers={"Origin": OURS}),
            client.get("/predict", headers={"Origin": OURS, "Authorization": "Bearer no"}),
        ):
            assert answer.headers["access-control-allow-origin"] == OURS
            assert "X-Total-Count" in answer.headers["access-control-expose-headers"]
        assert not shared_with(client.get("/livez", headers={"Origin": "https://evil.example"}))
        assert not shared_with(client.get("/livez"))


def test_refusals_are_problems_that_a_listed_page_can_read(stranger: httpx.Client) -> None:
    answer = stranger.post("/predict", content=grey(0), headers={"Origin": OURS})
    assert_problem(answer, "unauthenticated")
    assert answer.headers["access-control-allow-origin"] == OURS


def test_no_preflight_carries_credentials(
    stranger: httpx.Client, threaded_server: Callable[..., ThreadedServer]
) -> None:
    answer = stranger.options("/predict", headers={"Origin": OURS, **ASKS})
    assert "access-control-allow-credentials" not in answer.headers
    everybody = threaded_server(cors_origin=("*",))
    answer = httpx.options(f"{everybody.url}/predict", headers={"Origin": "null", **ASKS})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (204, "*")
    assert TOKEN not in str(answer.headers)
