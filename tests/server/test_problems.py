"""One error shape at every door: each code of the contract that a request can reach, with its status and headers."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
from loguru import logger
from PIL import Image

from cvserve.errors import CvserveError
from cvserve.logs.events import Seldom
from cvserve.server.problems import PROBLEMS
from cvserve.store.sqlite import sqlite3
from support.answers import STATUS_OF, assert_problem, assert_problem_object
from support.bad_pictures import png
from support.fakes import BrightnessPredictor, FailingPredictor, GatedPredictor, ScriptedPredictor
from support.pictures import encoded, grey
from support.threaded import ThreadedServer
from support.tokens import make_token
from support.waiting import wait_until

Start = Callable[..., ThreadedServer]
Ask = Callable[[httpx.Client], httpx.Response]
ASKED: dict[str, Ask] = {
    "unauthenticated": lambda c: c.get("/predict", headers={"Authorization": "Bearer no"}),
    "not_found": lambda c: c.get("/nothing"),
    "method_not_allowed": lambda c: c.delete("/predict"),
    "invalid_image": lambda c: c.post("/predict", content=grey(0)[:50]),
    "image_too_large": lambda c: c.post("/predict", content=png(9_000, 9_000)),
    "unsupported_image": lambda c: c.post("/predict", content=b"GIF89a"),
    "unsupported_media_type": lambda c: c.post("/predict", content=b"a", headers={"Content-Type": "text/csv"}),
    "missing_file": lambda c: c.post("/predict", files={"other": ("a.png", grey(0))}),
    "malformed_body": lambda c: c.post("/predict", content=b"{", headers={"Content-Type": "application/json"}),
    "invalid_parameter": lambda c: c.get("/predict?limit=0"),
    "payload_too_large": lambda c: c.post("/predict", files=[("x", ("a", b""))] * 99),
}


def test_table_of_codes_is_that_of_the_contract() -> None:
    assert {code: status for code, (status, _) in PROBLEMS.items()} == STATUS_OF


def all_classes(kind: type[CvserveError]) -> list[type[CvserveError]]:
    return [kind, *[found for below in kind.__subclasses__() for found in all_classes(below)]]


@pytest.mark.parametrize("kind", [kind for kind in all_classes(CvserveError) if kind.__module__.startswith("cvserve.")])
def test_every_error_of_the_tree_has_its_row(kind: type[CvserveError]) -> None:
    assert kind.code in PROBLEMS


@pytest.mark.parametrize("code", ASKED)
def test_error_has_one_shape(client: httpx.Client, code: str) -> None:
    answer = ASKED[code](client)
    assert_problem(answer, code)
    assert answer.text.isascii()


@pytest.mark.parametrize("code", ASKED)
@pytest.mark.parametrize("accept", ["text/html", "application/xml", "*/*;q=0"])
def test_error_has_its_shape_whatever_the_client_would_like(client: httpx.Client, code: str, accept: str) -> None:
    client.headers["Accept"] = accept
    assert_problem(ASKED[code](client), code)


@pytest.mark.parametrize("code", ASKED)
def test_request_id_of_the_caller_is_kept(client: httpx.Client, code: str) -> None:
    client.headers["X-Request-ID"] = "trace-1.a_B"
    assert ASKED[code](client).headers["x-request-id"] == "trace-1.a_B"


@pytest.mark.parametrize("offered", ["", "a b", "x" * 129, "a|b", "a\xe4", "<b>", "{}", "a;b", "cvs_" + "1" * 47])
def test_request_id_that_could_do_harm_is_replaced(client: httpx.Client, offered: str) -> None:
    answer = client.get("/livez", headers={b"X-Request-ID": offered.encode("latin-1")})
    assert len(answer.headers["x-request-id"]) == 36


def test_fixed_token_as_request_id_is_replaced(client: httpx.Client, shared: ThreadedServer) -> None:
    answer = client.get("/livez", headers={"X-Request-ID": str(shared.token)})
    assert len(answer.headers["x-request-id"]) == 36


def test_forbidden_has_the_shape(threaded_server: Start, home: object) -> None:
    secret = make_token(home, "reader", "history")  # type: ignore[arg-type]
    with threaded_server().client(secret) as client:
        assert_problem(client.post("/predict", content=grey(0)), "forbidden")


@pytest.mark.parametrize(
    "path", ["/predict?q=<script>alert(1)</script>", "/predict?limit=%1B%5B31m%0A%00", "/predict?%22'%5C=1"]
)
def test_text_of_the_client_is_never_raw_in_an_answer(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert_problem(answer, "invalid_parameter")
    assert not set(answer.text) & {"\x1b", "\n", "\0"}


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    "scores",
    [
        np.zeros((2, 4)),
        np.zeros((0, 4)),
        [[0.1, NAN]],
        [[INF, 0.0]],
        [[-INF, 0.0]],
        [],
        [[]],
        "text",
        None,
        [["a", "b"]],
        np.zeros((1, 2, 3)),
        [[1.0, 2.0], [3.0]],
        pytest.param(object(), id="object"),
    ],
    ids=str,
)
def test_answer_of_a_model_that_is_no_score_is_a_model_error_and_not_stored(
    threaded_server: Start, scores: object
) -> None:
    server = threaded_server(ScriptedPredictor(scores))
    with server.client() as client:
        assert_problem(client.post("/predict", content=grey(0)), "model_error")
        assert client.get("/predict").json() == []
        assert client.get("/predict").headers["x-total-count"] == "0"


def test_error_of_a_model_is_told_without_its_text(threaded_server: Start) -> None:
    with threaded_server(FailingPredictor()).client() as client:
        answer = client.post("/predict", content=grey(255))
        assert_problem(answer, "model_error")
        assert "secret text" not in answer.text
        entries = client.post("/predict/batch", files=[("file", ("a", grey(level))) for level in (0, 255, 100)]).json()
    assert [entries[0]["label"], entries[2]["label"]] == ["black", "dark"]
    assert_problem_object(entries[1], "model_error")


def test_model_that_takes_too_long_is_a_timeout_and_the_late_answer_is_not_stored(threaded_server: Start) -> None:
    predictor = GatedPredictor()
    server = threaded_server(predictor, predict_timeout=0.2)
    with server.client() as client:
        assert_problem(client.post("/predict", content=grey(0)), "predict_timeout")
        predictor.gate.set()
        assert client.post("/predict", content=grey(0)).json()["id"] == 1


def test_full_queue_refuses_at_once_and_those_inside_are_answered(threaded_server: Start) -> None:
    predictor = GatedPredictor()
    server = threaded_server(predictor, max_queue=2, max_batch_size=1)
    workers = server.resources.engine.live_workers
    with server.client() as client, ThreadPoolExecutor(workers + 2) as pool:
        inside = [pool.submit(client.post, "/predict", content=grey(0)) for _ in range(workers)]
        for _ in range(workers):
            assert predictor.entries.acquire(timeout=30)
        inside += [pool.submit(client.post, "/predict", content=grey(0)) for _ in range(2)]
        wait_until(lambda: server.resources.engine.waiting == 2)
        for _ in range(5):
            assert_problem(client.post("/predict", content=grey(0)), "overloaded")
        assert client.get("/readyz").status_code == 200
        predictor.gate.set()
        assert [future.result().status_code for future in inside] == [200] * (workers + 2)


def test_picture_that_would_never_fit_is_too_large_and_not_asked_for_again(threaded_server: Start) -> None:
    picture = encoded(Image.new("L", (64, 64)), "BMP")
    server = threaded_server(max_queue_bytes=len(picture) - 1, formats=("BMP",))
    with server.client() as client:
        answer = client.post("/predict", content=picture)
    assert_problem(answer, "payload_too_large")
    assert "retry-after" not in answer.headers
    assert f"{len(picture) - 1:,} bytes" in answer.json()["detail"]


def test_history_that_is_gone_is_unavailable_and_comes_back(threaded_server: Start) -> None:
    server = threaded_server()
    database = sqlite3.connect(server.settings.database_path)
    with server.client() as client:
        client.post("/predict", content=grey(0)).raise_for_status()
        database.execute("ALTER TABLE predictions RENAME TO away")
        database.commit()
        assert_problem(client.post("/predict", content=grey(0)), "history_unavailable")
        assert_problem(client.get("/predict"), "history_unavailable")
        assert_problem(client.get("/predict?limit=3"), "history_unavailable")
        assert_problem(client.get("/predict/1"), "history_unavailable")
        assert client.get("/livez").status_code == 200
        database.execute("ALTER TABLE away RENAME TO predictions")
        database.commit()
        database.close()
        assert client.get("/predict/1").status_code == 200
        assert client.post("/predict", content=grey(0)).status_code == 200


class UnspeakablePredictor(BrightnessPredictor):
    """One of its labels is no Unicode, and no database can hold it."""

    labels = ("black", "dark", "light", "\ud800")


def test_answer_that_cannot_be_stored_fails_alone_and_the_writer_goes_on(threaded_server: Start) -> None:
    with threaded_server(UnspeakablePredictor()).client() as client, ThreadPoolExecutor(8) as pool:
        levels = [0, 100, 255] * 10
        answers = list(pool.map(lambda level: client.post("/predict?top_k=1", content=grey(level)), levels))
        for level, answer in zip(levels, answers, strict=True):
            if level == 255:
                assert_problem(answer, "history_unavailable")
            else:
                assert answer.status_code == 200
        assert client.get("/readyz").status_code == 200


def test_one_cause_that_each_request_meets_is_one_line_on_stderr(
    threaded_server: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr("cvserve.server.problems.log_seldom", Seldom(every_s=3600).log)
    handler = logger.add(lambda message: said.append(message.record["message"]), level="WARNING")
    try:
        server = threaded_server(FailingPredictor())
        with server.client() as client:
            for _ in range(20):
                assert client.post("/predict", content=grey(255)).status_code == 500
    finally:
        logger.remove(handler)
    assert len([line for line in said if "model_error" in line]) == 1
