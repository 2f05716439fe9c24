"""What signals do to a real server: the log is opened anew, a closed terminal ends it; and how a start ends."""

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cvserve.server.signals import STOP, exit_code_of
from support.process import ServerProcess, children, fork_servers_of, workers_of
from support.raw import RawConnection
from support.waiting import wait_until

Start = Callable[..., ServerProcess]
TOKEN = "a-token-for-the-signals"
NEVER_READY = """
import os, sys
import numpy as np
from PIL import Image

class Model:
    labels = ["a", "b"]

    def __init__(self):
        {at_start}

    def preprocess(self, image):
        return np.zeros(1)

    def infer(self, batch):
        return np.full((len(batch), 2), 0.5)
"""


def ask(server: ServerProcess) -> int:
    with RawConnection(server.url) as raw:
        return raw.request("GET", "/livez", token=TOKEN).answer().status


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR1])
def test_log_that_was_renamed_is_opened_anew_and_no_line_is_lost(
    server_process: Start, home: Path, number: signal.Signals
) -> None:
    server = server_process("--workers", "1", CVSERVE_TOKEN=TOKEN)
    assert ask(server) == 200
    for count in range(1, 6):
        (home / "output.log").rename(home / f"{count}.log")
        server.process.send_signal(number)
        wait_until((home / "output.log").exists)  # though nobody has asked for anything
        assert ask(server) == 200
        assert len(server.log_lines()) == 1
    assert server.stop() == 0
    assert sum(len(file.read_text().splitlines()) for file in home.glob("*.log")) == 6


def test_storm_of_signals_to_the_whole_group_ends_nobody(server_process: Start) -> None:
    server = server_process("--workers", "1", wrapper=("setsid",), CVSERVE_TOKEN=TOKEN)
    pid = server.process.pid
    everybody = [*fork_servers_of(pid), *workers_of(pid)]
    assert len(everybody) == 2
    for _ in range(100):
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE):
            os.killpg(pid, number)
    assert ask(server) == 200
    assert [*fork_servers_of(pid), *workers_of(pid)] == everybody
    os.killpg(pid, signal.SIGQUIT)  # Ctrl-\
    assert server.ended() == 0
    assert "SIGQUIT" not in server.stderr


@pytest.mark.parametrize("number", STOP)
def test_stop_of_an_idle_server_is_0(server_process: Start, number: signal.Signals) -> None:
    server = server_process("--workers", "1", CVSERVE_TOKEN=TOKEN)
    assert server.stop(number) == 0


def test_server_ends_with_its_terminal(home: Path) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(home)
        os.environ["CVSERVE_TOKEN"] = TOKEN
        os.execv(sys.executable, [sys.executable, "-m", "cvserve", "serve", "--port", "0", "--workers", "1"])
    said = b""
    while b"Ctrl-C stops it" not in said:
        said += os.read(terminal, 1_000)
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0


@pytest.mark.parametrize("number", STOP)
@pytest.mark.parametrize("stage", ["loading", "workers"])
def test_start_can_be_interrupted(home: Path, number: signal.Signals, stage: str) -> None:
    """While the model loads, and while the first worker does not come."""
    marker = home / "begun"
    begin = f"open({str(marker)!r}, 'w').close(); "
    wait = "import time; time.sleep(600)"
    slow = {
        "loading": begin + wait,
        "workers": f"os.register_at_fork(after_in_child=lambda: exec({begin + wait!r}))",
    }
    (home / "slow.py").write_text(NEVER_READY.format(at_start=slow[stage]), encoding="utf-8")
    command = [sys.executable, "-m", "cvserve", "serve", "--port", "0", "--model", "slow.py:Model"]
    with subprocess.Popen(command, cwd=home, stderr=subprocess.PIPE, env={**os.environ, "CVSERVE_TOKEN": TOKEN}) as run:
        wait_until(marker.exists)
        made = children(run.pid)
        begin_s = time.monotonic()
        run.send_signal(number)
        assert run.wait(timeout=20) == exit_code_of(number)
        assert time.monotonic() - begin_s < 10
        assert run.stderr
        said = run.stderr.read().decode()
    assert "Traceback" not in said
    assert made
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in made))


def test_start_whose_workers_end_again_and_again_ends_in_a_sentence(home: Path) -> None:
    text = NEVER_READY.format(at_start="os.register_at_fork(after_in_child=lambda: os._exit(3))")
    (home / "dying.py").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "cvserve", "serve", "--port", "0", "--model", "dying.py:Model"]
    ended = subprocess.run(command, cwd=home, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 5
    assert "Traceback" not in ended.stderr
    assert "Application startup" not in ended.stderr
    assert ended.stderr.splitlines()[-1].startswith("cvserve: ")
    assert "exited with 3" in ended.stderr.splitlines()[-1]
