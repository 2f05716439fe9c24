"""POST /predict/batch: an answer or a problem for each picture, in order; admitted whole or refused whole."""

import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from support.answers import assert_problem, assert_problem_object
from support.fakes import GatedPredictor
from support.pictures import grey
from support.raw import RawConnection
from support.threaded import ThreadedServer
from support.tokens import make_token
from support.waiting import wait_until

Start = Callable[..., ThreadedServer]
LEVELS = (0, 100, 150, 200)


def files(*pictures: bytes) -> list[tuple[str, tuple[str, bytes]]]:
    return [("file", (f"{number}.png", picture)) for number, picture in enumerate(pictures)]


def test_answers_come_in_the_order_of_the_pictures_with_ascending_ids(client: httpx.Client) -> None:
    answer = client.post("/predict/batch", files=files(*map(grey, (200, 0, 100, 150, 0))))
    assert answer.status_code == 200
    entries = answer.json()
    assert [entry["label"] for entry in entries] == ["white", "black", "dark", "light", "black"]
    ids = [entry["id"] for entry in entries]
    assert ids == list(range(ids[0], ids[0] + 5))
    assert all(list(entry)[:2] == ["id", "result"] for entry in entries)


def test_bad_picture_is_a_problem_in_its_place_and_the_others_succeed(client: httpx.Client) -> None:
    answer = client.post("/predict/batch", files=files(grey(200), b"no picture", grey(0), grey(9)[:40], b"GIF89a"))
    entries = answer.json()
    assert answer.status_code == 200
    assert [entries[0]["label"], entries[2]["label"]] == ["white", "black"]
    assert entries[2]["id"] == entries[0]["id"] + 1
    for place, code in ((1, "invalid_image"), (3, "invalid_image"), (4, "unsupported_image")):
        assert_problem_object(entries[place], code)
        assert entries[place]["request_id"] == answer.headers["x-request-id"]


def test_each_row_of_a_batch_agrees_with_its_answer(client: httpx.Client) -> None:
    for entry in client.post("/predict/batch?top_k=2", files=files(grey(0), grey(200))).json():
        assert len(entry["top"]) == 2
        row = client.get(f"/predict/{entry['id']}").json()
        entry["timing_ms"].pop("store")
        assert row == entry


def test_batch_of_only_bad_pictures_is_a_list_of_problems(client: httpx.Client) -> None:
    answer = client.post("/predict/batch", files=files(b"a", b"b"))
    assert answer.status_code == 200
    assert [entry["code"] for entry in answer.json()] == ["invalid_image"] * 2


def test_sixty_four_pictures_are_taken_and_sixty_five_are_not(client: httpx.Client) -> None:
    picture = grey(0, (8, 8))
    assert len(client.post("/predict/batch", files=files(*[picture] * 64)).json()) == 64
    for count in (65, 81, 1_001):
        assert_problem(client.post("/predict/batch", files=files(*[picture] * count)), "payload_too_large")


def test_batch_over_64_mib_is_refused_from_its_length_alone(shared: ThreadedServer) -> None:
    with RawConnection(shared.url) as raw:
        raw.request(
            "POST",
            "/predict/batch",
            "Content-Type: multipart/form-data; boundary=x",
            f"Content-Length: {64 * 1024**2 + 1}",
            token=shared.token,
        )
        answer = raw.answer()
        assert_problem(answer, "payload_too_large")
        assert answer.headers["connection"] == "close"


@pytest.mark.parametrize(
    ("content", "content_type", "code"),
    [
        (grey(0), "image/png", "unsupported_media_type"),
        (b"{}", "application/json", "unsupported_media_type"),
        (b"", "", "unsupported_media_type"),
        (b"--x--\r\n", "multipart/form-data; boundary=x", "missing_file"),
        (b"--x\r\n", "multipart/form-data; boundary=x", "malformed_body"),
    ],
)
def test_body_of_another_kind_is_refused(client: httpx.Client, content: bytes, content_type: str, code: str) -> None:
    assert_problem(client.post("/predict/batch", content=content, headers={"Content-Type": content_type}), code)


def test_batch_that_does_not_fit_the_queue_is_refused_whole_and_leaves_no_row(threaded_server: Start) -> None:
    predictor = GatedPredictor()
    server = threaded_server(predictor, max_queue=4, max_batch_size=1)
    threads = server.resources.engine.live_workers
    answers: list[httpx.Response] = []

    def post_one() -> None:
        with server.client() as client:
            answers.append(client.post("/predict", content=grey(0)))

    callers = [threading.Thread(target=post_one) for _ in range(threads + 1)]
    for caller in callers:
        caller.start()
    for _ in range(threads):
        assert predictor.entries.acquire(timeout=30)
    wait_until(lambda: server.resources.engine.waiting == 1)
    with server.client() as client:
        assert_problem(client.post("/predict/batch", files=files(*[grey(0)] * 4)), "overloaded")
        assert server.resources.engine.waiting == 1
        predictor.gate.set()
        for caller in callers:
            caller.join()
        assert [answer.status_code for answer in answers] == [200] * len(callers)
        assert len(client.get("/predict").json()) == len(callers)
        assert len(client.post("/predict/batch", files=files(*[grey(0)] * 4)).json()) == 4


def test_batch_that_gives_way_to_another_token_does_so_whole_and_leaves_no_row(
    threaded_server: Start, home: Path
) -> None:
    predictor, small = GatedPredictor(), make_token(home, "small", "predict")
    server = threaded_server(predictor, max_queue=4, max_batch_size=1)
    engine = server.resources.engine
    answers: list[httpx.Response] = []

    def post(path: str, count: int, token: str | None = None) -> threading.Thread:
        def send() -> None:
            with server.client(token) as client:
                answers.append(client.post(path, files=files(*[grey(0)] * count)))

        caller = threading.Thread(target=send)
        caller.start()
        return caller

    busy = [post("/predict", 1) for _ in range(engine.live_workers)]
    for _ in busy:
        assert predictor.entries.acquire(timeout=30)
    batch = post("/predict/batch", 4)
    wait_until(lambda: engine.waiting == 4)
    one = post("/predict", 1, small)
    batch.join()
    answer = assert_problem(answers.pop(), "overloaded")
    assert "with this token" in answer["detail"]
    assert engine.waiting == 1
    predictor.gate.set()
    for caller in [*busy, one]:
        caller.join()
    assert [answer.status_code for answer in answers] == [200] * (len(busy) + 1)
    with server.client() as client:
        assert len(client.get("/predict").json()) == len(busy) + 1
        assert 'cvserve_rejected_total{reason="gave_way"} 1' in client.get("/metrics").text
