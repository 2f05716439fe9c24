"""A server of the test's own: the same model and settings, a throw-away folder and token, a free port."""

import contextlib
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from cvserve.errors import CannotStart, CvserveError
from cvserve.loadtest.target import Target

_MODULE = "cvserve.loadtest.own_server_main"
_URL = re.compile(r" on (https?://\S+)")
_START_S = 120.0
_STOP_S = 20.0


class OwnServerFailed(CvserveError):
    """The server of a load test did not start; it ended with an exit code of its own, which is passed on."""

    code = "not_ready"

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]


@contextlib.contextmanager
def start_own_server(flags: Mapping[str, str], beside: Path) -> Iterator[Target]:
    """Start a server for the time of a `with` block, with a folder and a token of its own, on a free port.

    Args:
        flags: options of `serve`, such as `{"--model": "m.onnx"}`; the rest comes from where `serve` takes it.
        beside: folder of the real history. The throw-away folder is made in it: on another disk, such as one
            in memory, commits would be faster than they ever are.

    Raises:
        OwnServerFailed: it ended before it answered; its last message is in the text.
        CannotStart: it did not answer in two minutes.
    """
    with _make_folder(beside) as home:
        token = f"loadtest-{secrets.token_urlsafe(24)}"
        environment = {**os.environ, "CVSERVE_TOKEN": token, "CVSERVE_NO_AUTH": "false"}
        # The same path as here, and not the working folder's code: that is what `-P` is for.
        environment["PYTHONPATH"] = os.pathsep.join(part or os.getcwd() for part in sys.path)
        options = [part for option, value in flags.items() for part in (option, value)]
        place = ["--host", "127.0.0.1", "--port", "0", "--home", str(home)]
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-P", "-m", _MODULE, str(os.getpid()), "serve", *options, *place],
            env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip
        output = _ServerOutput(process)
        try:
            yield Target(output.wait_for_url(), token, is_own=True, home=home)
        finally:
            _stop(process)
            output.close()


class _ServerOutput:
    """The server's stderr, read all the time, so that the server never waits for us to read."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self._lines: list[str] = []
        self._changed = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for_url(self) -> str:
        """Wait until the server listens; returns where."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._find_url(), _START_S)
            found = self._find_url()
        if found:
            return found
        if not self._ended:
            raise CannotStart(f"The server for the test did not answer within {_START_S:.0f} s; try cvserve serve.")
        errors = [line for line in self._lines if line.startswith("cvserve: ")] or self._lines[-1:]
        text = errors[-1].removeprefix("cvserve: ") if errors else "it printed no message."
        raise OwnServerFailed(f"The server for the test did not start: {text}", self._process.wait() or 3)

    def close(self) -> None:
        """Read the rest; only after the server's end."""
        self._reader.join()
        assert self._process.stderr
        self._process.stderr.close()

    def _find_url(self) -> str | None:
        return next((match[1] for match in map(_URL.search, self._lines) if match), None)

    def _read(self) -> None:
        assert self._process.stderr
        for line in self._process.stderr:
            with self._changed:
                self._lines = [*self._lines[-50:], line.decode("utf-8", "replace").rstrip()]
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()


@contextlib.contextmanager
def _make_folder(beside: Path) -> Iterator[Path]:
    try:
        made = tempfile.mkdtemp(prefix=".cvserve-loadtest-", dir=beside)
    except OSError:  # a folder that cannot be written
        made = tempfile.mkdtemp(prefix="cvserve-loadtest-")
    try:
        yield Path(made)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
