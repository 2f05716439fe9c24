"""A real server from its start to its end: revocation from another process, and a stop with requests in flight."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cvserve.history.history import History
from support.process import ServerProcess
from support.raw import RawConnection
from support.waiting import wait_until

Start = Callable[..., ServerProcess]
pytestmark = pytest.mark.slow


def cvserve(home: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "cvserve", *arguments], cwd=home, capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout


def test_stop_answers_all_requests_in_flight_and_exits_with_0(server_process: Start, home: Path, photo: bytes) -> None:
    server = server_process(CVSERVE_TOKEN="a-token-for-the-stop")
    connections = [RawConnection(server.url) for _ in range(50)]
    for raw in connections:
        raw.request("POST", "/predict", "Expect: 100-continue", f"Content-Length: {len(photo)}", token=server.token)
    for raw in connections:
        assert raw.answer().status == 100  # the app has begun each of them
    server.process.send_signal(signal.SIGTERM)
    for raw in connections:
        raw.send(photo)
    answers = [raw.answer() for raw in connections]
    assert {answer.status for answer in answers} == {200}
    assert {answer.headers["connection"] for answer in answers} == {"close"}
    assert server.ended() == 0
    ids = {answer.json()["id"] for answer in answers}
    assert ids == set(range(1, 51))
    with History.open(home) as history:
        assert {row.id for row in history} == ids
    assert len(server.log_lines()) == 50
    for raw in connections:
        raw.close()


def test_request_that_outlasts_the_stop_is_told_so(server_process: Start) -> None:
    server = server_process("--shutdown-timeout", "1s", CVSERVE_TOKEN="a-token-for-the-stop")
    with RawConnection(server.url) as raw:
        raw.request("POST", "/predict", "Expect: 100-continue", "Content-Length: 1000", token=server.token)
        assert raw.answer().status == 100
        server.process.send_signal(signal.SIGTERM)
        answer = raw.answer()
    assert (answer.status, answer.json()["code"]) == (503, "not_ready")
    assert answer.headers["retry-after"]
    assert server.ended() == 0
    assert [line.split(" | ")[4] for line in server.log_lines()] == ["503"]


def test_ctrl_c_stops_as_gracefully(server_process: Start) -> None:
    server = server_process(CVSERVE_TOKEN="a-token-for-the-stop")
    assert server.stop(signal.SIGINT) == 0


def answers(url: str) -> bool:
    """Whether somebody listens there."""
    try:
        RawConnection(url).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.mark.parametrize(("sig", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_second_signal_ends_it_at_once(server_process: Start, sig: signal.Signals, code: int) -> None:
    server = server_process(CVSERVE_TOKEN="a-token-for-the-stop")
    with RawConnection(server.url) as raw:
        raw.request("POST", "/predict", "Expect: 100-continue", "Content-Length: 1000", token=server.token)
        assert raw.answer().status == 100  # a request that would keep the stop waiting for half a minute
        server.process.send_signal(sig)
        wait_until(lambda: not answers(server.url))  # it has heard the first one
        begin = time.monotonic()
        assert server.stop(sig) == code
    assert time.monotonic() - begin < 10


def test_second_signal_is_no_error(server_process: Start) -> None:
    server = server_process(CVSERVE_TOKEN="a-token-for-the-stop")
    with RawConnection(server.url) as raw:  # it could send a last request, so the stop waits for two seconds
        assert raw.request("GET", "/livez", token=server.token).answer().status == 200
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: not answers(server.url))
        assert server.stop() == 143
    assert "Traceback" not in server.stderr


class Poller(threading.Thread):
    """Asks again and again on one connection until it is refused.

    Attributes:
        begun: the first answer was good.
        last_success: when the last request with a good answer was sent, wall clock.
    """

    def __init__(self, url: str, secret: str) -> None:
        super().__init__(daemon=True)
        self.url, self.secret = url, secret
        self.begun = threading.Event()
        self.last_success = 0.0

    def run(self) -> None:
        with RawConnection(self.url) as raw:
            while True:
                sent = time.time()
                if raw.request("GET", "/livez", token=self.secret).answer().status != 200:
                    return
                self.last_success = sent
                self.begun.set()


@pytest.mark.parametrize("name", ["alice", "bob"])
def test_revoked_token_is_refused_within_a_second_also_on_an_open_connection(
    server_process: Start, home: Path, name: str
) -> None:
    server = server_process()
    secret = next(word for word in cvserve(home, "token", "new", name).split() if word.startswith("cvs_"))
    poller = Poller(server.url, secret)
    poller.start()
    assert poller.begun.wait(30)
    cvserve(home, "token", "revoke", name)
    poller.join(timeout=30)
    assert not poller.is_alive()
    with History.open(home) as history:
        (revoked_at,) = history.db.execute(
            "SELECT (julianday(revoked_at) - 2440587.5) * 86400 FROM tokens WHERE name = ?", [name]
        ).fetchone()
    assert poller.last_success - revoked_at < 1.0
    assert {line.split(" | ")[2] for line in server.log_lines()} == {name, "-"}


def test_token_of_a_file_opens_everything_and_is_named_env(server_process: Start, home: Path, photo: bytes) -> None:
    file = home.parent / "secret"
    file.write_text("a-token-in-a-file\n")
    file.chmod(0o600)
    server = server_process(CVSERVE_TOKEN_FILE=str(file))
    with server.client("a-token-in-a-file") as client:
        assert client.post("/predict", content=photo).json()["label"] == "4"
        assert client.get("/predict").status_code == 200
    assert all("| env |" in line for line in server.log_lines())
    assert "a-token-in-a-file" not in server.stderr


def test_lines_of_the_next_start_are_appended(server_process: Start) -> None:
    for count in (1, 2):
        server = server_process(CVSERVE_TOKEN="a-token-for-the-restart")
        with server.client() as client:
            client.get("/livez")
        assert server.stop() == 0
        assert len(server.log_lines()) == count


@pytest.mark.parametrize("kind", ["symlink", "fifo", "folder"])
def test_server_refuses_a_log_that_is_no_file_with_exit_code_4(home: Path, kind: str) -> None:
    log = home / "output.log"
    if kind == "symlink":
        log.symlink_to(home / "elsewhere")
    elif kind == "fifo":
        os.mkfifo(log)
    else:
        log.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "cvserve", "serve", "--port", "0"],
        cwd=home,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 4
    assert "output.log" in done.stderr
    assert "Traceback" not in done.stderr
