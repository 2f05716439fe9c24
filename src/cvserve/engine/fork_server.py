"""The nursery seen from the front: started, asked for workers, and heard when one of them has ended."""

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

from cvserve.engine.frames import unpack_error
from cvserve.errors import ModelLoadError
from cvserve.predictor.prediction import ModelInfo

FORK_SERVER_MODULE = "cvserve.engine.fork_server_main"
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


class Nursery:
    """One nursery process.

    It begins to load the model at once. The thread that makes this object must live as long as the process is
    wanted: the kernel ends the process with that thread.

    Args:
        order: what to load.
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
        self._begin = b""
        self.info = ModelInfo("", "", "")
        self.guessed: tuple[str, ...] = ()

    def wait_loaded(self) -> None:
        """Block until the model is loaded and warm.

        Raises:
            CvserveError: what the nursery could not do, as if it had been done here.
        """
        while b"\n" not in self._begin:
            data = self._receive()
            if not data:
                code = self.process.wait()
                raise ModelLoadError(f"The process that loaded the model {ended(code)}; its own words are above.")
            self._begin += data
        first, _, self._begin = self._begin.partition(b"\n")
        said = json.loads(first)
        if "failed" in said:
            self.process.wait()
            raise unpack_error(*said["failed"])
        model = said["ready"]
        self.info = ModelInfo(model["name"], model["sha256"], model["format"])
        self.guessed = tuple(model["guessed"])
        self.control.setblocking(False)

    def make_worker(self) -> socket.socket:
        """Ask for a worker; the front's end of its connection, non-blocking.

        Raises:
            OSError: the nursery is gone.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                socket.send_fds(self.control, [b"\n"], [theirs.fileno()])
            except OSError:
                ours.close()
                raise
        ours.setblocking(False)
        return ours

    def heard(self) -> Iterator[dict[str, Any]] | None:
        """What the nursery has said since, without waiting; None when it is gone."""
        data = self._receive()
        if not data:
            return None
        *lines, self._begin = (self._begin + data).split(b"\n")
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


def ended(code: int) -> str:
    """How a process ended, for a sentence: `exited with 3`, `was ended by SIGKILL`."""
    import signal  # only when something went wrong

    if code >= 0:
        return f"exited with {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
