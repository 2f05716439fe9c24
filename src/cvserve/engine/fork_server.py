"""The fork server seen from the front: it is started, makes workers when asked, and reports when a worker ends.

A fork server (as in Python's `multiprocessing`) is a process that has loaded the model and forks a worker from itself
whenever it is asked to. What runs in it is `fork_server_main.py`.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

from cvserve.engine.frames import unpack_error
from cvserve.errors import ModelLoadError
from cvserve.predictor.prediction import ModelInfo

FORK_SERVER_MODULE = "cvserve.engine.fork_server_main"
# Bytes on the socket to it: one that asks for a worker comes with the worker's end of its connection.
MAKE, PING = b"\n", b"?"
_MAX_READ_BYTES = 65_536
# Read by the numeric libraries when they are loaded: each worker computes on one thread, and libraries that add
# threads of their own to that only get in each other's way. What the operator says stands.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_SECRETS = ("CVSERVE_TOKEN",)


class ModelOrder(NamedTuple):
    """What a worker process loads, as plain data.

    Attributes:
        load: import path `module:function` of what makes the predictor.
        arguments: for that function; what JSON can say.
    """

    load: str
    arguments: dict[str, Any]


class ForkServer:
    """One fork server, and the socket to it.

    It begins to load the model at once. The thread that makes this object must live as long as the process is
    wanted: the kernel ends the process with that thread.

    Args:
        order: what to load.

    Attributes:
        control: the front's end of the socket; non-blocking after `wait_loaded`, for the event loop to watch.
        process: the process itself.
        info: which model it has loaded, after `wait_loaded`.
        guessed: what about the model was neither configured nor read from the file, after `wait_loaded`.
        unanswered_pings: pings since it last said anything.
    """

    def __init__(self, order: ModelOrder) -> None:
        self.control, theirs = socket.socketpair()
        environment = {key: value for key, value in os.environ.items() if key not in _SECRETS}
        environment["PYTHONPATH"] = os.pathsep.join(path or os.getcwd() for path in sys.path)
        for name in THREAD_VARIABLES:
            environment.setdefault(name, "1")
        with theirs:
            descriptor = theirs.fileno()
            command = [sys.executable, "-P", "-m", FORK_SERVER_MODULE, str(descriptor), str(os.getpid())]
            self.process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                command, pass_fds=[descriptor], env=environment, stdin=subprocess.DEVNULL
            )
        self.control.sendall(json.dumps(order._asdict()).encode("utf-8") + b"\n")
        self._unread = b""
        self.unanswered_pings = 0
        self.info = ModelInfo("", "", "")
        self.guessed: tuple[str, ...] = ()

    def wait_loaded(self) -> None:
        """Block until the model is loaded and warm.

        Raises:
            CvserveError: why it cannot be, as if it had been loaded in this process.
        """
        while b"\n" not in self._unread:
            data = self._receive()
            if not data:
                code = self.process.wait()
                raise ModelLoadError(
                    f"The process that loaded the model {describe_exit(code)}; its own words are above."
                )
            self._unread += data
        first, _, self._unread = self._unread.partition(b"\n")
        message = json.loads(first)
        if "failed" in message:
            self.process.wait()
            raise unpack_error(*message["failed"])
        model = message["ready"]
        self.info = ModelInfo(model["name"], model["sha256"], model["format"], model["device"])
        self.guessed = tuple(model["guessed"])
        self.control.setblocking(False)

    def make_worker(self) -> socket.socket:
        """Ask for a worker, and return the front's end of its connection, non-blocking.

        The worker itself comes a moment later: it says on that connection when it is warm.

        Raises:
            OSError: the fork server is gone.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                socket.send_fds(self.control, [MAKE], [theirs.fileno()])
            except OSError:
                ours.close()
                raise
        ours.setblocking(False)
        return ours

    def ping(self) -> None:
        """Ask whether it is there; any message answers. To be called after `wait_loaded`: loading may take long."""
        self.unanswered_pings += 1
        with contextlib.suppress(OSError):  # it is gone, or reads nothing: both are noticed
            self.control.send(PING)

    def read_messages(self) -> Iterator[dict[str, Any]] | None:
        """What has come since, without waiting; None when the fork server is gone.

        A message is `{"made": PID}`, in the order in which workers were asked for, or `{"ended": PID, "code": CODE}`
        with the exit code as `subprocess` has it: that of a signal is negative; or `{"pong": true}`.
        """
        data = self._receive()
        if not data:
            return None
        self.unanswered_pings = 0
        *lines, self._unread = (self._unread + data).split(b"\n")
        return map(json.loads, lines)

    def end(self) -> None:
        """End it and with it all workers that hang. May be called twice, from any thread."""
        with contextlib.suppress(OSError):
            self.control.shutdown(socket.SHUT_RDWR)
        self.process.kill()
        self.process.wait()
        self.control.close()

    def _receive(self) -> bytes:
        try:
            return self.control.recv(_MAX_READ_BYTES)
        except ConnectionResetError:
            return b""


def describe_exit(code: int) -> str:
    """Say how a process ended, in the middle of a sentence: `exited with 3`, `was ended by SIGKILL`."""
    if code >= 0:
        return f"exited with {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
