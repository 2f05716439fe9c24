"""What a caller hears when the process that works on a picture dies, hangs, or is not there."""

import gc
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from loguru import logger

from cvserve import Settings, create_app
from cvserve.engine.task import Task
from cvserve.errors import Unsafe
from cvserve.server.uploads import Upload
from support.answers import assert_problem
from support.engines import KINDS, order, pool
from support.every_error import error_classes
from support.gate import Gate
from support.pictures import digit_photo, grey
from support.process import fork_servers_of, workers_of
from support.raw import RawConnection
from support.threaded import ThreadedServer
from support.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
BLACK, WHITE = grey(0), grey(255)
Start = Callable[..., ThreadedServer]


@pytest.fixture
def serving(home: Path) -> Iterator[Start]:
    """Starts apps with fake models, in worker processes unless another kind is asked for."""
    running: list[ThreadedServer] = []

    def start(
        name: str, settings: dict[str, object] | None = None, kind: str = "processes", **arguments: object
    ) -> ThreadedServer:
        workers = pool(kind, order(name, **arguments))
        running.append(ThreadedServer(home, workers, **settings or {}))
        return running[-1]

    yield start
    for server in running:
        server.stop()


def test_picture_that_kills_is_500_once_and_422_from_then_on(serving: Start) -> None:
    server = serving("Deadly", how="kill")
    with server.client() as client:
        assert_problem(client.post("/predict", content=WHITE), "worker_died")
        body = assert_problem(client.post("/predict", content=WHITE), "invalid_image")
        assert "refused for some minutes" in body["detail"]
        answers = client.post("/predict/batch", files=[("file", ("a", BLACK)), ("file", ("b", WHITE))]).json()
        assert [answer.get("code", answer.get("result")) for answer in answers] == [0, "invalid_image"]
        assert client.post("/predict", content=BLACK).json()["result"] == 0
        assert client.get("/readyz").status_code == 200
        assert [row["result"] for row in client.get("/predict").json()] == [0, 0]
    statuses = [line.split(" | ")[4] for line in server.log_lines()]
    assert statuses == ["500", "422", "200", "200", "200", "200"]


@pytest.mark.parametrize("kind", KINDS)
def test_picture_that_was_not_answered_leaves_the_memory_without_the_collector(kind: str, serving: Start) -> None:
    server = serving("FailingPredictor", kind=kind)
    logger.disable("cvserve")  # as loguru shows values by default, it keeps them
    gc.collect()
    gc.disable()
    try:
        with server.client() as client:
            assert_problem(client.post("/predict", content=BLACK[:40]), "invalid_image")
            assert_problem(client.post("/predict", content=WHITE), "model_error")
            assert_problem(client.post("/predict", content=b"GIF89a"), "unsupported_image")
            files = [("file", ("a", BLACK[:40])), ("file", ("b", WHITE))]
            assert client.post("/predict/batch", files=files).status_code == 200
            assert client.post("/predict", content=BLACK).status_code == 200
        # A thread keeps the batch that it had last until it has another one.
        wait_until(
            lambda: [held for held in gc.get_objects() if type(held) in (Task, Upload)] in ([], [Task(BLACK, 5)])
        )
    finally:
        gc.enable()
        logger.enable("cvserve")


@pytest.mark.parametrize("kind", KINDS)
def test_error_of_ours_from_the_models_own_code_is_500_and_its_picture_is_not_refused(
    kind: str, serving: Start
) -> None:
    server = serving("Raising", kind=kind)
    names = [error.__name__ for error in error_classes()]
    with server.client() as client:
        for name in ("CvserveError", "NotFound", "Forbidden", "Overloaded"):
            for _ in range(2):
                assert_problem(client.post("/predict", content=grey(names.index(name))), "model_error")
        assert client.post("/predict", content=WHITE).json()["result"] == 3


def test_picture_that_hangs_is_504_and_others_are_served(serving: Start) -> None:
    server = serving("Deadly", {"predict_timeout": 1.0}, how="hang")
    with server.client() as client:
        assert_problem(client.post("/predict", content=WHITE), "predict_timeout")
        assert client.post("/predict", content=BLACK).status_code == 200
        assert_problem(client.post("/predict", content=WHITE), "invalid_image")


def test_client_that_leaves_while_it_waits_costs_the_model_nothing(serving: Start, tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    server = serving("GatedByFiles", folder=str(tmp_path))
    with RawConnection(server.url) as first, RawConnection(server.url) as third:
        first.request("POST", "/predict", token=server.token, body=BLACK)
        wait_until(lambda: gate.batch_sizes == [1])
        with RawConnection(server.url) as second:
            second.request("POST", "/predict", token=server.token, body=WHITE)
            wait_until(lambda: server.resources.engine.waiting == 1)
        third.request("POST", "/predict", token=server.token, body=BLACK)
        wait_until(lambda: server.resources.engine.waiting == 2)
        gate.open()
        assert [raw.answer().status for raw in (first, third)] == [200, 200]
    wait_until(lambda: len(server.log_lines()) == 3)
    assert gate.batch_sizes == [1, 1]
    with server.client() as client:
        assert [row["result"] for row in client.get("/predict").json()] == [0, 0]
    assert sorted(line.split(" | ")[4] for line in server.log_lines())[:4] == ["200", "200", "200", "499"]
    gate.close()


def test_model_that_fails_in_a_worker_is_500_and_its_words_are_in_the_servers_log_only(
    serving: Start,
) -> None:
    said: list[str] = []
    sink = logger.add(said.append)
    server = serving("FailingPredictor")
    with server.client() as client:
        assert_problem(client.post("/predict", content=WHITE), "model_error")
    logger.remove(sink)
    assert "secret text of a library" in "".join(said)


def test_whole_batch_is_answered_by_worker_processes(serving: Start) -> None:
    server = serving("BrightnessPredictor")
    files = [("file", (f"{level}.png", grey(level))) for level in (0, 100, 150, 255)]
    with server.client() as client:
        entries = client.post("/predict/batch?top_k=2", files=files).json()
    assert [(entry["result"], len(entry["top"])) for entry in entries] == [(0, 2), (1, 2), (2, 2), (3, 2)]


def test_app_that_cannot_be_made_leaves_no_process_behind(home: Path) -> None:
    (home / "output.log").mkdir()
    with pytest.raises(Unsafe):
        create_app(Settings(home=home, workers=1))
    assert fork_servers_of(os.getpid()) == []


def test_app_without_a_predictor_runs_the_settings_model_in_worker_processes(home: Path) -> None:
    app = create_app(Settings(home=home, workers=1, no_auth=True))
    server = ThreadedServer(home, app.resources)  # type: ignore[attr-defined]
    try:
        assert len(workers_of(os.getpid())) == 1
        with server.client() as client:
            assert client.post("/predict", content=digit_photo("4")).json()["label"] == "4"
    finally:
        server.stop()
    assert fork_servers_of(os.getpid()) == []
