"""The history's files are moved, removed, replaced or damaged while the server runs: it never says what is not so."""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from support.answers import assert_problem
from support.pictures import grey
from support.process import ServerProcess
from support.waiting import wait_until

TOKEN = "a-token-for-a-lost-database"
READ_IDS = """
import sqlite3, sys
print(*[row[0] for row in sqlite3.connect(sys.argv[1]).execute("SELECT id FROM predictions")])
"""
FILES = ("cvserve.db", "cvserve.db-wal", "cvserve.db-shm")


class Callers:
    """Clients that predict all the time, as long as they are let."""

    def __init__(self, server: ServerProcess) -> None:
        self.acknowledged: list[int] = []
        self._lost = threading.Event()
        self.said_after: list[int] = []
        self._server = server
        self._threads = [threading.Thread(target=self._call) for _ in range(3)]
        for thread in self._threads:
            thread.start()
        wait_until(lambda: len(self.acknowledged) >= 30)

    def note_loss(self) -> None:
        """From now on nothing that is sent may be acknowledged."""
        self._lost.set()
        wait_until(lambda: len(self.said_after) >= 30)
        for thread in self._threads:
            thread.join()

    def _call(self) -> None:
        with self._server.client() as client:
            while len(self.said_after) < 30:
                is_lost = self._lost.is_set()
                answer = client.post("/predict", content=grey(0))
                if is_lost:
                    self.said_after.append(answer.status_code)
                elif answer.status_code == 200:
                    self.acknowledged.append(answer.json()["id"])


def ids_in(database: Path) -> set[int]:
    """By another process: to close a file of a database drops the locks of its own process."""
    ended = subprocess.run([sys.executable, "-c", READ_IDS, database], capture_output=True, text=True, check=True)
    return set(map(int, ended.stdout.split()))


def remove(home: Path, *names: str) -> None:
    for name in names:
        (home / name).unlink()


ACTS: dict[str, Callable[[Path], object]] = {
    "home removed": shutil.rmtree,
    "home renamed": lambda home: home.rename(home.with_name("away")),
    "all three removed": lambda home: remove(home, *FILES),
    "shm removed": lambda home: remove(home, FILES[2]),
    "a backup moved over it": lambda home: (home / "backup").rename(home / FILES[0]),
    "cut off": lambda home: os.truncate(home / FILES[0], 8_192),
    "wal cut off": lambda home: os.truncate(home / FILES[1], 0),
}


@pytest.fixture
def server(server_process: Callable[..., ServerProcess], home: Path, tmp_path: Path) -> ServerProcess:
    return server_process("--workers", "1", "--home", str(tmp_path / "home"), CVSERVE_TOKEN=TOKEN)


@pytest.mark.parametrize("act", ACTS)
def test_nothing_is_acknowledged_that_is_not_in_the_file_of_that_name(
    server: ServerProcess, tmp_path: Path, act: str
) -> None:
    home = tmp_path / "home"
    subprocess.run(["cp", home / "cvserve.db", home / "backup"], check=True)
    callers = Callers(server)
    ACTS[act](home)
    listed = sorted(home.iterdir()) if home.exists() else None
    callers.note_loss()
    assert set(callers.said_after) == {503}
    with server.client() as client:
        assert_problem(client.post("/predict", content=grey(0)), "history_unavailable")
        assert client.get("/readyz").json()["checks"]["history"] == "failing"
        assert client.get("/livez").status_code == 200
        for path in ("/predict", "/predict?limit=3", f"/predict/{callers.acknowledged[0]}"):
            assert_problem(client.get(path), "history_unavailable")
    assert (sorted(home.iterdir()) if home.exists() else None) == listed  # no reader has made a file
    assert server.process.poll() is None
    assert server.stderr.count("history:") == 1
    assert server.stop() == 0


def test_a_folder_that_comes_back_is_used_again(server: ServerProcess, tmp_path: Path) -> None:
    home, away = tmp_path / "home", tmp_path / "away"
    callers = Callers(server)
    home.rename(away)
    callers.note_loss()
    away.rename(home)
    with server.client() as client:
        wait_until(lambda: client.get("/readyz").status_code == 200)
        callers.acknowledged.append(client.post("/predict", content=grey(0)).json()["id"])
        assert set(callers.acknowledged) <= {row["id"] for row in client.get("/predict").json()}
    assert set(callers.acknowledged) <= ids_in(home / "cvserve.db")
    assert "it can be written again" in server.stderr


def overwrite(database: Path) -> None:
    """Other bytes in all pages but the first, as a failing disk or a wrong `dd` leaves them."""
    pages = database.stat().st_size // 4_096 - 1
    subprocess.run(
        ["dd", "if=/dev/urandom", f"of={database}", "bs=4096", "seek=1", f"count={pages}", "conv=notrunc"],
        check=True,
        capture_output=True,
    )


def test_pages_that_were_overwritten_are_noticed_without_anybody_reading_them(
    server: ServerProcess, tmp_path: Path
) -> None:
    with server.client() as client:
        client.post("/predict", content=grey(0)).raise_for_status()
        overwrite(tmp_path / "home" / "cvserve.db")
        wait_until(lambda: client.get("/readyz").status_code == 503)
        answer = client.post("/predict", content=grey(0))
        assert "damaged" in assert_problem(answer, "history_unavailable")["detail"]
    assert server.process.poll() is None


def test_another_program_that_moves_the_wal_into_the_file_does_no_harm(server: ServerProcess, tmp_path: Path) -> None:
    code = (
        "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('PRAGMA wal_checkpoint(TRUNCATE)').fetchone())"
    )
    with server.client() as client:
        for _ in range(20):
            client.post("/predict", content=grey(0)).raise_for_status()
        ended = subprocess.run(
            [sys.executable, "-c", code, tmp_path / "home" / "cvserve.db"], capture_output=True, text=True, check=True
        )
        assert ended.stdout.startswith("(0, ")
        assert [client.post("/predict", content=grey(0)).status_code for _ in range(5)] == [200] * 5
        assert client.get("/readyz").status_code == 200
    assert "history:" not in server.stderr
