"""What runs in a worker process: the worker loop behind a socket, until the front is gone."""

import contextlib
import faulthandler
import os
import random
import resource
import signal
import socket
import sys
from collections.abc import Sequence

from cvserve.engine.frames import pack_outcomes, read_tasks
from cvserve.engine.parent import die_with_parent, ignore_stop_signals
from cvserve.engine.task import Outcome, Task
from cvserve.engine.worker_loop import WorkerLoop
from cvserve.predictor.predictor import Predictor

# When memory runs out, the kernel takes a worker, not the process that owns the port and the history.
_OOM_SCORE = "500"


def run_worker(predictor: Predictor, connection: socket.socket, parent: int) -> None:
    """Run the worker loop until the front closes its end of the connection; never returns.

    Args:
        predictor: set up and warm.
        connection: to the front.
        parent: id of the process that made this one; without it there is nothing to live for.
    """
    code = 1
    try:
        die_with_parent(parent)
        _set_up_process()
        channel = SocketChannel(connection)
        loop = WorkerLoop(predictor, channel)
        loop.warm_up()
        channel.answer([])
        loop.run()
        code = 0
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)  # what belongs to the parent is not cleaned up by its children


def _set_up_process() -> None:
    """Signals, dumps, limits and random numbers, each as a worker needs them."""
    ignore_stop_signals()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    faulthandler.enable()  # where it was, when it crashes or when the front gives it up (SIGABRT)
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write(_OOM_SCORE)
    # Forks of one process would all draw the same numbers.
    random.seed()
    if (numpy := sys.modules.get("numpy")) is not None:
        numpy.random.seed(int.from_bytes(os.urandom(4), "big"))


class SocketChannel:
    """A worker's `Channel`: frames on its socket to the front.

    Args:
        connection: blocking.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def take(self) -> Sequence[Task]:
        """Wait for the next batch, and answer pings meanwhile; empty when the front is gone."""
        try:
            while not (tasks := read_tasks(self._read)):
                self.answer([])
        except (EOFError, ConnectionResetError):
            return []
        return tasks

    def answer(self, outcomes: Sequence[Outcome]) -> None:
        """Send the answers in one frame; that the front is gone is noticed by `take`."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._connection.sendall(pack_outcomes(outcomes))

    def _read(self, size: int) -> bytes:
        """Read so many bytes. Nobody copies them again: a picture is read where it stays."""
        data = self._connection.recv(size, socket.MSG_WAITALL)
        while len(data) < size:  # the end, or a signal came between
            more = self._connection.recv(size - len(data), socket.MSG_WAITALL)
            if not more:
                raise EOFError
            data += more
        return data
