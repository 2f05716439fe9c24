"""A real server whose workers are killed under load, and whose front is killed with work in their hands.

The long form: CVSERVE_TEST_KILLS=1000 pytest tests/e2e/test_worker_kills.py
"""

import contextlib
import os
import random
import signal
import sqlite3
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx
import pytest

from support.process import ServerProcess, children, fork_servers_of, workers_of
from support.raw import RawConnection
from support.waiting import wait_until

Start = Callable[..., ServerProcess]
pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")]

KILLS = int(os.environ.get("CVSERVE_TEST_KILLS", "40"))
SEED = int(os.environ.get("CVSERVE_TEST_SEED", "20261125"))
TOKEN = "a-token-for-the-kills"


class Caller(threading.Thread):
    """Sends pictures, each one different, until it is told to stop; keeps what it hears."""

    def __init__(self, url: str, photo: bytes, name: str) -> None:
        super().__init__(daemon=True, name=name)
        self.url, self.photo = url, photo
        self.enough = threading.Event()
        self.ids: list[int] = []
        self.failures: list[tuple[int, str]] = []

    def run(self) -> None:
        with httpx.Client(base_url=self.url, headers={"Authorization": TOKEN}, timeout=60, verify=False) as client:
            number = 0
            while not self.enough.is_set():
                number += 1
                # Bytes behind a picture's end change its hash and nothing else.
                answer = client.post("/predict", content=self.photo + f"{self.name} {number}".encode())
                if answer.status_code == 200:
                    self.ids.append(answer.json()["id"])
                else:
                    self.failures.append((answer.status_code, answer.json()["code"]))


def _have_ids(callers: list[Caller], count: int) -> bool:
    return sum(len(caller.ids) for caller in callers) >= count


def count_sockets(pid: int) -> int:
    """Sockets that a process has open."""
    count = 0
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed since
            count += "socket" in os.readlink(link)
    return count


def test_killed_workers_cost_no_request(server_process: Start, home: Path, photo: bytes) -> None:
    server = server_process("--workers", "2", CVSERVE_TOKEN=TOKEN)
    chance = random.Random(SEED)
    callers = [Caller(server.url, photo, f"caller-{number}") for number in range(8)]
    for caller in callers:
        caller.start()
    for _ in range(KILLS):
        wait_until(lambda: len(workers_of(server.process.pid)) == 2)
        os.kill(chance.choice(workers_of(server.process.pid)), signal.SIGKILL)
        answered = sum(len(caller.ids) for caller in callers)
        wait_until(partial(_have_ids, callers, answered + chance.randrange(8)))
    for caller in callers:
        caller.enough.set()
        caller.join(60)
    with server.client() as client:
        assert client.get("/readyz").status_code == 200
    assert server.stop() == 0
    ids = [found for caller in callers for found in caller.ids]
    failures = [failure for caller in callers for failure in caller.failures]
    refused = server.stderr.count("ended two workers")
    assert failures == [(500, "worker_died")] * refused, f"seed {SEED}: {failures}"
    assert refused <= KILLS / 2
    assert server.stderr.count("was ended by SIGKILL; another one takes its place") == KILLS
    assert len(set(ids)) == len(ids)
    with sqlite3.connect(home / "cvserve.db") as database:
        rows = {row[0] for row in database.execute("SELECT id FROM predictions")}
    database.close()
    assert rows == set(ids)


@pytest.mark.parametrize("target", ["idle", "stopped"])
def test_workers_die_with_the_front_whatever_kills_it_and_the_port_is_free(
    server_process: Start, home: Path, target: str
) -> None:
    server = server_process("--workers", "2", CVSERVE_TOKEN=TOKEN)
    (fork_server,) = fork_servers_of(server.process.pid)
    family = [fork_server, *children(fork_server)]
    if target == "stopped":  # they could not notice the end of a connection
        for pid in family:
            os.kill(pid, signal.SIGSTOP)
    server.process.kill()
    server.ended()
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in family), 5)
    port = server.url.rpartition(":")[2]
    again = server_process("--port", port, CVSERVE_TOKEN=TOKEN)
    assert again.url == server.url


def test_readiness_is_false_while_there_is_no_worker(server_process: Start, photo: bytes) -> None:
    server = server_process("--workers", "1", CVSERVE_TOKEN=TOKEN)
    with server.client() as client, RawConnection(server.url) as raw:
        (fork_server,) = fork_servers_of(server.process.pid)
        os.kill(fork_server, signal.SIGKILL)
        wait_until(lambda: client.get("/readyz").json()["checks"]["workers"] == "failing")
        raw.request("POST", "/predict", token=server.token, body=photo)  # waits for the next worker
        assert raw.answer().status == 200
        assert client.get("/readyz").status_code == 200
    assert "the model is loaded again" in server.stderr


def test_stop_under_load_fails_no_request(server_process: Start, home: Path, photo: bytes) -> None:
    server = server_process("--workers", "2", CVSERVE_TOKEN=TOKEN)
    before = count_sockets(server.process.pid)
    connections = [RawConnection(server.url) for _ in range(40)]
    for raw in connections:
        raw.request("POST", "/predict", token=server.token, body=photo)
    # The promise is to finish what was accepted; what still waits in the kernel is reset with the listener.
    wait_until(lambda: count_sockets(server.process.pid) >= before + len(connections))
    server.process.send_signal(signal.SIGTERM)
    statuses = [raw.answer().status for raw in connections]
    for raw in connections:
        raw.close()
    assert statuses == [200] * 40
    assert server.ended() == 0
    assert len(server.log_lines()) == 40
    assert workers_of(server.process.pid) == []
