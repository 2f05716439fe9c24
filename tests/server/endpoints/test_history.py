"""GET /predict and GET /predict/{id}: a bare list, oldest first, that can be filtered, paged and walked."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from cvserve.history.history import History
from cvserve.predictor.images.info import ImageInfo
from cvserve.predictor.prediction import ClassScore, ModelInfo, Prediction
from support.answers import assert_problem
from support.fakes import BrightnessPredictor
from support.pictures import grey
from support.threaded import ThreadedServer

Start = Callable[..., ThreadedServer]
LABELS = ("black", "dark", "light", "white")
ROWS = 3_210


def stored(home_path: object, count: int, source: str = "cli") -> None:
    """Rows as the command line leaves them."""
    predictions = []
    for number in range(count):
        label = LABELS[number % 4]
        score = round(0.5 + number % 50 / 100, 6)
        model = ModelInfo("other" if number % 7 == 0 else "brightness", str(number % 2) * 64, "python")
        top = (ClassScore(number % 4, label, score),)
        times = {"decode": 1.0, "infer": 2.0}
        predictions.append(
            Prediction(number % 4, label, score, top, model, None, times, ImageInfo(8, 8, "PNG", 9, "a"))
        )
    with History.open(str(home_path)) as history:
        history.add_many(predictions, source=source, file_names=[None] * count)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThreadedServer]:
    """A history of three pages and a bit, and some rows of a load test among them."""
    home = tmp_path_factory.mktemp("history")
    stored(home, ROWS - 10)
    stored(home, 5, "loadtest")
    stored(home, 10)
    server = ThreadedServer(home, BrightnessPredictor())
    yield server
    server.stop()


@pytest.fixture
def client(server: ThreadedServer) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


@pytest.fixture(scope="module")
def everything(server: ThreadedServer) -> list[dict[str, Any]]:
    """All rows, asked for once."""
    with server.client() as client:
        rows: list[dict[str, Any]] = client.get("/predict").json()
    return rows


def walked(client: httpx.Client, url: str) -> list[int]:
    """All ids behind a page's links."""
    ids: list[int] = []
    for _ in range(10_000):
        answer = client.get(url)
        ids += [row["id"] for row in answer.json()]
        if "link" not in answer.headers:
            return ids
        match = re.fullmatch(r'<(\S+)>; rel="next"', answer.headers["link"])
        assert match
        url = match[1]
    raise AssertionError("the links never end")


def test_everything_is_a_bare_list_oldest_first(client: httpx.Client) -> None:
    answer = client.get("/predict")
    rows = answer.json()
    assert isinstance(rows, list)
    assert len(rows) == ROWS
    ids = [row["id"] for row in rows]
    assert ids == sorted(set(ids))
    assert all(list(row)[:2] == ["id", "result"] for row in rows)
    assert answer.headers["transfer-encoding"] == "chunked"
    assert answer.headers["x-total-count"] == str(ROWS)
    assert "link" not in answer.headers


def test_everything_comes_in_pages_and_not_in_one_piece(client: httpx.Client) -> None:
    with client.stream("GET", "/predict") as answer:
        pieces = sum(1 for _ in answer.iter_raw())
    assert pieces >= 4


@pytest.mark.parametrize("place", [0, 999, 1_000, 1_999, ROWS - 1])
def test_each_entry_is_the_object_of_its_own_path(
    client: httpx.Client, everything: list[dict[str, Any]], place: int
) -> None:
    row = everything[place]
    assert client.get(f"/predict/{row['id']}").json() == row


def test_empty_history_is_an_empty_list(threaded_server: Start) -> None:
    with threaded_server().client() as client:
        answer = client.get("/predict")
        assert (answer.status_code, answer.json(), answer.headers["x-total-count"]) == (200, [], "0")
        assert client.get("/predict?limit=5").json() == []
        assert client.get("/predict?label=x&count=true").headers["x-total-count"] == "0"


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize(
    "query", ["limit=1000", "limit=333", "limit=10000", "limit=50&label=white", "limit=1605&count=true"]
)
def test_links_walked_to_the_end_give_each_id_once(client: httpx.Client, query: str, order: str) -> None:
    wanted = [row["id"] for row in client.get(f"/predict?order={order}&{query.partition('&')[2]}").json()]
    assert walked(client, f"/predict?order={order}&{query}") == wanted
    assert wanted == sorted(wanted, reverse=order == "desc")


def test_walk_over_one_row_a_page_gives_each_id_once(client: httpx.Client) -> None:
    assert walked(client, "/predict?limit=1&after=5&before=20") == list(range(6, 20))
    assert walked(client, "/predict?limit=1&after=5&before=20&order=desc") == list(range(19, 5, -1))


@pytest.mark.parametrize("limit", [1, 999, 1_000, 1_001, 3_209, 3_210, 3_211, 10_000])
def test_limit_gives_so_many_and_a_link_only_when_there_are_more(client: httpx.Client, limit: int) -> None:
    answer = client.get(f"/predict?limit={limit}")
    assert len(answer.json()) == min(limit, ROWS)
    assert ("link" in answer.headers) == (limit < ROWS)
    if min(limit, ROWS) <= 1_000:  # one page; what is longer is streamed, so that no answer is held in memory whole
        assert answer.headers["content-length"] == str(len(answer.content))
    else:
        assert answer.headers["transfer-encoding"] == "chunked"


def test_after_and_before_are_exclusive(client: httpx.Client) -> None:
    assert [row["id"] for row in client.get("/predict?after=10&before=14").json()] == [11, 12, 13]
    assert [row["id"] for row in client.get("/predict?after=10&before=14&order=desc").json()] == [13, 12, 11]
    assert client.get("/predict?after=10&before=11").json() == []
    assert client.get(f"/predict?after={2**63 - 1}").json() == []
    assert client.get("/predict?before=0").json() == []


@pytest.mark.parametrize(
    ("query", "keeps"),
    [
        ("label=white", lambda row: row["label"] == "white"),
        ("label=nothing", lambda row: False),
        ("label=%25", lambda row: False),
        ("label=white'%20OR%201=1--", lambda row: False),
        ("model=other", lambda row: row["model"]["name"] == "other"),
        ("model=" + "1" * 12, lambda row: row["model"]["version"] == "1" * 12),
        ("model=nothing", lambda row: False),
        ("source=cli", lambda row: True),
        ("source=http", lambda row: False),
        ("min_score=0.9", lambda row: row["score"] >= 0.9),
        ("min_score=0", lambda row: True),
        ("min_score=1", lambda row: False),
        (
            "label=white&min_score=0.9&model=brightness",
            lambda row: row["label"] == "white" and row["score"] >= 0.9 and row["model"]["name"] == "brightness",
        ),
        ("since=1h", lambda row: True),
        ("since=2020-01-01", lambda row: True),
        ("since=2999-01-01T00:00:00Z", lambda row: False),
        ("until=7d", lambda row: False),
        ("until=2999-01-01T00:00:00%2B01:00", lambda row: True),
        ("until=2999-01-01T00:00:00+01:00", lambda row: True),
    ],
)
def test_filter_keeps_what_it_says(
    client: httpx.Client, everything: list[dict[str, Any]], query: str, keeps: Callable[[Any], bool]
) -> None:
    wanted = [row["id"] for row in everything if keeps(row)]
    answer = client.get(f"/predict?{query}")
    assert [row["id"] for row in answer.json()] == wanted
    assert "x-total-count" not in answer.headers
    assert client.get(f"/predict?{query}&count=true&limit=1").headers["x-total-count"] == str(len(wanted))


def test_since_and_until_split_the_history_without_a_gap(
    client: httpx.Client, everything: list[dict[str, Any]]
) -> None:
    rows = everything
    moment = rows[-5]["created_at"]
    late = [row["id"] for row in client.get(f"/predict?since={moment}").json()]
    early = [row["id"] for row in client.get(f"/predict?until={moment}").json()]
    assert early + late == [row["id"] for row in rows]
    assert rows[-5]["id"] in late


def test_rows_of_a_load_test_show_only_when_asked_for(client: httpx.Client) -> None:
    assert len(client.get("/predict?source=loadtest").json()) == 5
    assert client.get("/predict?source=loadtest&count=true").headers["x-total-count"] == "5"


def test_count_false_leaves_the_total_out(client: httpx.Client) -> None:
    assert "x-total-count" not in client.get("/predict?count=false&limit=1").headers
    assert client.get("/predict?count=true&limit=1&after=3000").headers["x-total-count"] == str(ROWS)


def test_total_follows_the_rows_that_are_added(threaded_server: Start) -> None:
    with threaded_server().client() as client:
        for number in range(1, 4):
            client.post("/predict", content=grey(0))
            assert client.get("/predict?limit=1").headers["x-total-count"] == str(number)


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=-1",
        "limit=10001",
        "limit=1e9",
        "limit=%D9%A1",
        "limit=",
        "limit=1&limit=2",
        "after=-1",
        "after=x",
        f"after={2**63}",
        "before=1.5",
        "order=up",
        "order=ASC",
        "source=web",
        "min_score=2",
        "min_score=nan",
        "min_score=-1",
        "min_score=inf",
        "since=tomorrow",
        "since=",
        "until=99999999999d",
        "since=10000-01-01",
        "label=",
        "label=" + "x" * 2000,
        "label=%00",
        "model=",
        "count=maybe",
        "cursor=abc",
        "page=2",
        "id=1",
        "limit=%FF",
        "q=';DROP TABLE predictions",
    ],
)
def test_parameter_that_cannot_be_used_is_refused(client: httpx.Client, query: str) -> None:
    assert_problem(client.get(f"/predict?{query}"), "invalid_parameter")


@pytest.mark.parametrize(
    "id_",
    [
        "0",
        "-1",
        "999999",
        "9" * 18,
        "9" * 19,
        "9" * 40,
        "1.0",
        "+1",
        "1_0",
        "%D9%A1",
        "%EF%BC%91",
        "1%20",
        "%00",
        "1'",
        "1;x",
        "abc",
        "1%2F",
        "%2e%2e",
        "1%00",
    ],
)
def test_unknown_id_is_not_found(client: httpx.Client, id_: str) -> None:
    assert_problem(client.get(f"/predict/{id_}"), "not_found")


def test_head_of_the_list_reads_no_rows_and_gives_the_headers_of_get(client: httpx.Client) -> None:
    answer = client.head("/predict")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["x-total-count"] == str(ROWS)
    limited = client.head("/predict?limit=2")
    assert limited.headers["link"] == client.get("/predict?limit=2").headers["link"]
