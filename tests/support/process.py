"""A real `cvserve serve` in a process of its own."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from cvserve.engine.fork_server import FORK_SERVER_MODULE

_URL = re.compile(r" on (https?://\S+)")
_TOKEN = re.compile(r"cvs_[0-9A-Za-z]+")
START_TIMEOUT_S = 60


class ServerProcess:
    """Started when made; ready when the constructor returns.

    Args:
        home: its folder, and the working folder.
        *arguments: of `cvserve serve`.
        wrapper: a command that runs the one that follows it.
        python: the interpreter whose cvserve is started.
        **environment: variables beside those of the test.

    Attributes:
        url: where it listens.
        token: the first token if it made one, else what `CVSERVE_TOKEN` says, else None.
        stderr: what it said so far.
    """

    def __init__(
        self,
        home: Path,
        *arguments: str,
        wrapper: Sequence[str] = (),
        python: str = sys.executable,
        **environment: str,
    ) -> None:
        self.home = home
        self.stderr = ""
        self._said = threading.Condition()
        command = [*wrapper, python, "-m", "cvserve", "serve", "--port", "0", *arguments]
        self.process = subprocess.Popen(command, cwd=home, env={**os.environ, **environment}, stderr=subprocess.PIPE)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.url = self.wait_for(_URL)[1]
        token = environment.get("CVSERVE_TOKEN")
        if token is None and "--no-auth" not in arguments and "Your token" in self.stderr:
            token = self.wait_for(_TOKEN)[0]
        self.token = token

    def wait_for(self, pattern: re.Pattern[str]) -> re.Match[str]:
        """The first match in what the process says on stderr."""
        with self._said:
            found = self._said.wait_for(
                lambda: pattern.search(self.stderr) or self.process.poll() is not None, START_TIMEOUT_S
            )
        match = pattern.search(self.stderr)
        assert match, f"{pattern.pattern!r} was never said ({found}): {self.stderr}"
        return match

    def client(self, token: str | None = None, **options: Any) -> httpx.Client:
        """An HTTP client with the token."""
        token = token or self.token
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        options.setdefault("verify", False)  # loading certificates takes longer than most tests
        return httpx.Client(base_url=self.url, headers=headers, timeout=30, **options)

    def stop(self, sig: signal.Signals = signal.SIGTERM) -> int:
        """End it and wait; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(sig)
        return self.ended()

    def ended(self) -> int:
        """Wait for its end; the exit code."""
        code = self.process.wait(timeout=40)
        self._reader.join(timeout=10)
        if self.process.stderr:
            self.process.stderr.close()
        return code

    def log_lines(self) -> list[str]:
        """The lines of output.log."""
        return (self.home / "output.log").read_text(encoding="utf-8").splitlines()

    def _read(self) -> None:
        assert self.process.stderr
        # In pieces as they were written: the announcement is one of them.
        while piece := os.read(self.process.stderr.fileno(), 65_536):
            with self._said:
                self.stderr += piece.decode("utf-8", "replace")
                self._said.notify_all()
        with self._said:
            self._said.notify_all()


def children(pid: int) -> list[int]:
    """Processes that a process has made and that live."""
    found = subprocess.run(["ps", "-o", "pid=,stat=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(line.split()[0]) for line in found.stdout.splitlines() if "Z" not in line.split()[1]]


def fork_servers_of(pid: int) -> list[int]:
    """The processes of a server that make its workers; one, unless it is being replaced."""
    return [child for child in children(pid) if FORK_SERVER_MODULE in command_of(child)]


def workers_of(pid: int) -> list[int]:
    """The worker processes of a server."""
    return [worker for server in fork_servers_of(pid) for worker in children(server)]


def command_of(pid: int) -> str:
    """The command line of a process; empty when it is gone."""
    try:
        return proc(pid, "cmdline").replace("\0", " ")
    except OSError:
        return ""


def proc(pid: int, name: str) -> str:
    """What the kernel says of a process."""
    return Path(f"/proc/{pid}/{name}").read_text(encoding="utf-8")


def pss_bytes(pid: int) -> int:
    """Memory of a process, with its part of what it shares."""
    (line,) = (line for line in proc(pid, "smaps_rollup").splitlines() if line.startswith("Pss:"))
    return int(line.split()[1]) * 1024
