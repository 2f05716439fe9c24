"""What runs in the fork server: a process with one thread that has loaded the model, and forks workers from itself.

A fork shares the model's memory and takes milliseconds. It is safe only while there is one thread: where loading
or warming up the model has started others, each worker is a process of its own that loads the model again.
"""

import contextlib
import importlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any

from cvserve.engine import garbage_collector
from cvserve.engine.fork_server import PING
from cvserve.engine.frames import pack_error
from cvserve.engine.parent import die_with_parent, ignore_stop_signals
from cvserve.engine.worker_main import run_worker
from cvserve.errors import CvserveError
from cvserve.predictor.images.decode import lift_pillow_limit
from cvserve.predictor.predictor import Predictor

_MAX_LINE_BYTES = 65_536


def main() -> None:
    """`python -m cvserve.engine.fork_server_main DESCRIPTOR PARENT [worker JSON]`."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    die_with_parent(int(sys.argv[2]))
    ignore_stop_signals()
    if len(sys.argv) > 3:  # a worker that could not be forked
        run_worker(_load(json.loads(sys.argv[3])), connection, int(sys.argv[2]))
    ForkLoop(connection).run()


class ForkLoop:
    """Loads the model, then makes a worker whenever the front asks for one, until the front is gone.

    Args:
        control: to the front; a JSON document a line each way, and the sockets of new workers beside them.
    """

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._ended_reader, self._ended_writer = os.pipe()
        self._order = ""

    def run(self) -> None:
        """Load and serve; returns when the front is gone or the model cannot be loaded."""
        self._order = self._control.makefile("r", encoding="utf-8").readline()
        if not self._order:
            return
        try:
            predictor = _load(json.loads(self._order))
        except CvserveError as error:
            self._send({"failed": pack_error(error)})
            return
        self._send({"ready": _describe_model(predictor)})
        garbage_collector.tune()  # what is there now is shared by all workers; a collection would copy its pages
        self._serve(predictor)

    def _serve(self, predictor: Predictor) -> None:
        os.set_blocking(self._ended_writer, False)
        signal.set_wakeup_fd(self._ended_writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        with selectors.DefaultSelector() as selector:
            selector.register(self._control, selectors.EVENT_READ, lambda: self._make_worker(predictor))
            selector.register(self._ended_reader, selectors.EVENT_READ, self._report_ended)
            goes_on = True
            while goes_on:
                for key, _ in selector.select():
                    goes_on = key.data() and goes_on

    def _make_worker(self, predictor: Predictor) -> bool:
        """One worker for each socket that came, and an answer to a ping; False when the front is gone."""
        data, descriptors, _, _ = socket.recv_fds(self._control, _MAX_LINE_BYTES, 64)
        for descriptor in descriptors:
            pid = self._fork(predictor, descriptor) if _is_single_threaded() else self._spawn(descriptor)
            os.close(descriptor)
            self._send({"made": pid})
        if PING in data:
            self._send({"pong": True})
        return bool(data)

    def _fork(self, predictor: Predictor, descriptor: int) -> int:
        fork_server = os.getpid()
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            self._control.close()
            os.close(self._ended_reader)
            os.close(self._ended_writer)
            run_worker(predictor, socket.socket(fileno=descriptor), fork_server)
        return pid

    def _spawn(self, descriptor: int) -> int:
        command = [sys.executable, "-P", "-m", __spec__.name, str(descriptor), str(os.getpid()), self._order]
        return subprocess.Popen(command, pass_fds=[descriptor]).pid  # noqa: S603 - our own interpreter and module

    def _report_ended(self) -> bool:
        """Tell the front how each worker ended."""
        os.read(self._ended_reader, 4_096)
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    break
                self._send({"ended": pid, "code": os.waitstatus_to_exitcode(status)})
        return True

    def _send(self, document: dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the front is gone; the next read tells
            self._control.sendall(json.dumps(document).encode("ascii") + b"\n")


def _load(order: dict[str, Any]) -> Predictor:
    """Make the predictor that an order names, and warm it up.

    Args:
        order: `load`, the import path `module:function`, and `arguments` for it.
    """
    module, _, name = order["load"].partition(":")
    load: Callable[..., Predictor] = getattr(importlib.import_module(module), name)
    lift_pillow_limit()
    warnings.showwarning = lambda message, *_, **__: print(f"cvserve: warning: {message}", file=sys.stderr)  # noqa: T201
    return load(**order["arguments"]).warm_up()


def _describe_model(predictor: Predictor) -> dict[str, Any]:
    info = predictor.info
    return {"name": info.name, "sha256": info.sha256, "format": info.format, "guessed": list(predictor.guessed)}


def _is_single_threaded() -> bool:
    """Whether a fork is safe; elsewhere than on Linux that cannot be known, and the system's own threads forbid it."""
    try:
        return len(os.listdir("/proc/self/task")) == 1
    except OSError:
        return False


if __name__ == "__main__":
    main()
