"""What was answered is there: after kill -9, on a full disk, and while somebody else holds the database."""

import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from support.answers import assert_problem
from support.disk import fill, mounted_disk
from support.fakes import BrightnessPredictor
from support.pictures import grey
from support.process import ServerProcess
from support.threaded import ThreadedServer
from support.waiting import wait_until

ROUNDS = 3
HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
input()
"""
TOKEN = "a-token-for-the-kill-test"


def ids_in(home: Path) -> list[int]:
    """All ids, from a copy of the files as the dead server left them."""
    copy = home.parent / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(home, copy)
    database = sqlite3.connect(copy / "cvserve.db")
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    ids = [row[0] for row in database.execute("SELECT id FROM predictions ORDER BY id")]
    database.close()
    return ids


@pytest.fixture(params=["full", "normal"])
def durability(request: pytest.FixtureRequest) -> str:
    """Both durabilities; kill -9 is no power cut, so neither may lose an id."""
    return str(request.param)


@pytest.mark.slow
@pytest.mark.parametrize("clients", [1, 8])
def test_no_acknowledged_id_is_missing_after_kill_9(
    server_process: Callable[..., ServerProcess], home: Path, photo: bytes, clients: int, durability: str
) -> None:
    acknowledged: list[int] = []
    logged: list[str] = []

    def load(url: str, enough: threading.Event) -> None:
        with httpx.Client(base_url=url, headers={"Authorization": TOKEN}, timeout=30, verify=False) as client:
            while True:
                try:
                    answer = client.post("/predict", content=photo)
                    acknowledged.append(answer.json()["id"])
                    logged.append(answer.headers["x-request-id"])
                except httpx.TransportError:
                    return
                if len(acknowledged) >= target:
                    enough.set()

    for round_ in range(ROUNDS):
        server = server_process(CVSERVE_TOKEN=TOKEN, CVSERVE_DURABILITY=durability)
        enough, target = threading.Event(), len(acknowledged) + 20 + 17 * round_
        callers = [threading.Thread(target=load, args=(server.url, enough)) for _ in range(clients)]
        for caller in callers:
            caller.start()
        assert enough.wait(60)
        server.process.kill()
        for caller in callers:
            caller.join()
        server.stop()
        ids = ids_in(home)
        assert set(acknowledged) <= set(ids)
        assert len(set(acknowledged)) == len(acknowledged)
        assert len(ids) - len(acknowledged) <= clients * (round_ + 1)  # stored, and killed before the answer
    log = (home / "output.log").read_text()
    assert log.endswith("\n")
    assert all(request_id in log for request_id in logged)


@pytest.mark.slow
def test_database_that_is_locked_gives_503_and_the_server_lives(
    threaded_server: Callable[..., ThreadedServer], durability: str
) -> None:
    server = threaded_server(durability=durability)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, server.settings.database_path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder, server.client() as client:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        with ThreadPoolExecutor(1) as aside:
            waiting = aside.submit(client.post, "/predict", content=grey(0))
            wait_until(lambda: server.resources.metrics.in_progress == 1)
            assert client.get("/livez").status_code == 200
            assert not waiting.done()  # nobody else waits for the lock with it
            assert_problem(waiting.result(), "history_unavailable")
        assert client.get("/predict").json() == []
        assert client.get("/readyz").json()["checks"]["history"] == "failing"
        attempt = server.resources.recorder._attempt
        assert attempt
        assert not attempt.done()  # a probe, whose time-out is short, is not made to wait for the lock
        holder.communicate("\n", timeout=30)
        assert client.post("/predict", content=grey(0)).json()["id"] == 1
        assert client.get("/readyz").status_code == 200


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with mounted_disk(tmp_path / "disk", "1m") as folder:
        yield folder


def test_full_disk_gives_507_and_the_server_recovers_alone(small_disk: Path, durability: str) -> None:
    server = ThreadedServer(small_disk, BrightnessPredictor(), durability=durability)
    acknowledged = []
    ballast = small_disk / "ballast"
    try:
        with server.client() as client:
            acknowledged.append(client.post("/predict", content=grey(0)).json()["id"])
            fill(ballast)
            answer = client.post("/predict", content=grey(0))
            while answer.status_code == 200:
                acknowledged.append(answer.json()["id"])
                answer = client.post("/predict", content=grey(0))
            assert_problem(answer, "storage_full")
            assert client.get("/livez").status_code == 200
            assert len(client.get("/predict").json()) == len(acknowledged)
            assert_problem(client.post("/predict", content=grey(0)), "storage_full")
            ballast.unlink()
            acknowledged.append(client.post("/predict", content=grey(0)).json()["id"])
            assert client.get("/readyz").status_code == 200
            assert [row["id"] for row in client.get("/predict").json()] == acknowledged
            count = len(server.log_lines())
            assert len(set(server.log_lines())) == count
            assert sum("| 507 |" in line for line in server.log_lines()) == 2
    finally:
        server.stop()
    assert len(set(acknowledged)) == len(acknowledged)


def test_lines_of_a_full_disk_are_written_when_there_is_room(small_disk: Path) -> None:
    server = ThreadedServer(small_disk, BrightnessPredictor())
    ballast = small_disk / "ballast"
    try:
        with server.client() as client:
            fill(ballast)
            ids = [client.get("/livez").headers["x-request-id"] for _ in range(60)]
            wait_until(lambda: server.resources.access_log.lines_waiting > 0)
            ballast.unlink()
            ids.append(client.get("/livez").headers["x-request-id"])
            assert [line.rpartition("req=")[2] for line in server.log_lines()] == ids
    finally:
        server.stop()
