"""A load test that is stopped, or killed, leaves a report, or at least nothing that runs."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.known_server import TOKEN, KnownServer
from support.process import children, proc
from support.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")]


class LoadTest:
    """A real `cvserve loadtest`, loading when the constructor returns."""

    def __init__(self, home: Path, *arguments: str, **environment: str) -> None:
        command = [sys.executable, "-m", "cvserve", "loadtest", "-t", "60", "--out", "out", *arguments]
        self.process = subprocess.Popen(
            command, cwd=home, env={**os.environ, **environment}, stderr=subprocess.PIPE, text=True
        )
        self.said = ""
        self._is_loading = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert self._is_loading.wait(60), self.said

    def processes(self) -> list[int]:
        """Everything that it has started, and what that has started."""
        found = children(self.process.pid)
        for pid in found:
            found += children(pid)
        return found

    def end(self, sig: signal.Signals) -> int:
        """Send a signal and wait; the exit code."""
        self.process.send_signal(sig)
        code = self.process.wait(timeout=60)
        self._reader.join(timeout=30)
        assert self.process.stderr
        self.process.stderr.close()
        return code

    def _read(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            self.said += line
            if re.match(r"(load|step) ", line):
                self._is_loading.set()


@pytest.fixture
def known(tmp_path: Path) -> Iterator[KnownServer]:
    server = KnownServer(tmp_path / "known", picture_ms=5)
    yield server
    server.stop()


def is_gone(pid: int) -> bool:
    try:
        return proc(pid, "stat").split()[2] == "Z"
    except OSError:
        return True


def test_no_token_is_to_be_seen_and_ctrl_c_writes_a_part_of_a_report_and_ends_with_130(
    home: Path, known: KnownServer
) -> None:
    test = LoadTest(home, known.url, "-u", "2", CVSERVE_TOKEN=TOKEN)
    started = test.processes()
    shown = [(proc(pid, "cmdline"), proc(pid, "environ")) for pid in started]
    assert test.end(signal.SIGINT) == 130, test.said
    report = json.loads((home / "out" / "report.json").read_text())
    assert report["is_partial"]
    assert report["requests"] > 0
    assert "Traceback" not in test.said
    assert all(map(is_gone, started))
    assert started
    for command_line, environment in shown:
        assert TOKEN not in command_line
        assert TOKEN not in environment


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGKILL])
def test_whatever_ends_it_takes_locust_and_the_own_server_with_it(home: Path, sig: signal.Signals) -> None:
    test = LoadTest(home, "-u", "2", "--workers", "1")
    started = test.processes()
    assert any("locust" in proc(pid, "maps") or "generator_main" in proc(pid, "cmdline") for pid in started)
    assert any("serve" in proc(pid, "cmdline") for pid in started)
    assert test.end(sig) in (143, -9)
    wait_until(lambda: all(map(is_gone, started)))
