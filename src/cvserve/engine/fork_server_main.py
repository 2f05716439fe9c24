"""What runs in the fork server: a process with one thread that has loaded the model, and forks workers from itself.

A fork shares the model's memory and takes milliseconds. It is safe only while there is one thread and no device has
been begun with. Where loading or warming up the model has done either, each worker is a process of its own that loads
the model again, and this one begins anew without it: it keeps no copy, of memory or of what a device holds.
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
from typing import Any

from cvserve.engine import garbage_collector
from cvserve.engine.fork_server import PING
from cvserve.engine.frames import pack_error
from cvserve.engine.parent import die_with_parent, ignore_stop_signals
from cvserve.errors import CvserveError

_MAX_LINE_BYTES = 65_536
# Whoever runs a model imports it; NumPy and Pillow come with it, and a process that only makes workers wants neither.
_LOADED_MODEL = "cvserve.engine.loaded_model"
_WORKER, _MAKER = "worker", "maker"


def main() -> None:
    """`python -m cvserve.engine.fork_server_main DESCRIPTOR PARENT [worker ORDER | maker ORDER]`.

    Without more it loads the model that the front orders, as a JSON document on a line. A worker is one that could not
    be forked; a maker is a fork server that cannot fork.
    """
    connection, parent = socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2])
    die_with_parent(parent)
    ignore_stop_signals()
    match sys.argv[3:]:
        case [role, order] if role == _WORKER:
            importlib.import_module(_LOADED_MODEL).run_order(order, connection, parent)
        case [role, order] if role == _MAKER:
            ForkLoop(connection, order, None).run()
        case _:
            _load_and_run(connection, parent)


def _load_and_run(control: socket.socket, parent: int) -> None:
    """Load and serve; returns when the front is gone or the model cannot be loaded."""
    order = control.makefile("r", encoding="utf-8").readline()
    if not order:
        return
    loaded_model = importlib.import_module(_LOADED_MODEL)
    try:
        predictor = loaded_model.load_order(order)
    except CvserveError as error:
        _send(control, {"failed": pack_error(error)})
        return
    _send(control, {"ready": loaded_model.describe_model(predictor)})
    if not (_is_single_threaded() and loaded_model.survives_fork(predictor)):
        _begin_anew(control, parent, order)
    garbage_collector.tune()  # what is there now is shared by all workers; a collection would copy its pages
    ForkLoop(control, order, predictor).run()


def _begin_anew(control: socket.socket, parent: int, order: str) -> None:
    """Become a process that only makes workers: the same one to the front, without the model; never returns."""
    sys.stdout.flush()
    sys.stderr.flush()
    descriptor = control.fileno()
    os.set_inheritable(descriptor, True)
    # Not all libraries open their files so that they close by themselves, and a device is held by a file.
    os.closerange(3, descriptor)
    os.closerange(descriptor + 1, os.sysconf("SC_OPEN_MAX"))
    os.execv(sys.executable, _command(descriptor, parent, _MAKER, order))  # noqa: S606 - our own interpreter and module


class ForkLoop:
    """Makes a worker whenever the front asks for one, until the front is gone.

    Args:
        control: to the front; a JSON document a line each way, and the sockets of new workers beside them.
        order: what the front ordered, for workers that load it themselves.
        predictor: loaded and warm; None: workers cannot be forked.
    """

    def __init__(self, control: socket.socket, order: str, predictor: Any) -> None:
        self._control = control
        self._order = order
        self._predictor = predictor
        self._ended_reader, self._ended_writer = os.pipe()

    def run(self) -> None:
        """Serve; returns when the front is gone."""
        os.set_blocking(self._ended_writer, False)
        signal.set_wakeup_fd(self._ended_writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        with selectors.DefaultSelector() as selector:
            selector.register(self._control, selectors.EVENT_READ, self._make_workers)
            selector.register(self._ended_reader, selectors.EVENT_READ, self._report_ended)
            goes_on = True
            while goes_on:
                for key, _ in selector.select():
                    goes_on = key.data() and goes_on

    def _make_workers(self) -> bool:
        """One worker for each socket that came, and an answer to a ping; False when the front is gone."""
        data, descriptors, _, _ = socket.recv_fds(self._control, _MAX_LINE_BYTES, 64)
        for descriptor in descriptors:
            can_fork = self._predictor is not None and _is_single_threaded()
            pid = self._fork(descriptor) if can_fork else self._spawn(descriptor)
            os.close(descriptor)
            _send(self._control, {"made": pid})
        if PING in data:
            _send(self._control, {"pong": True})
        return bool(data)

    def _fork(self, descriptor: int) -> int:
        fork_server = os.getpid()
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            self._control.close()
            os.close(self._ended_reader)
            os.close(self._ended_writer)
            run_worker = importlib.import_module(_LOADED_MODEL).run_worker
            run_worker(self._predictor, socket.socket(fileno=descriptor), fork_server)
        return pid

    def _spawn(self, descriptor: int) -> int:
        command = _command(descriptor, os.getpid(), _WORKER, self._order)
        return subprocess.Popen(command, pass_fds=[descriptor]).pid  # noqa: S603 - our own interpreter and module

    def _report_ended(self) -> bool:
        """Tell the front how each worker ended."""
        os.read(self._ended_reader, 4_096)
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    break
                _send(self._control, {"ended": pid, "code": os.waitstatus_to_exitcode(status)})
        return True


def _send(control: socket.socket, document: dict[str, Any]) -> None:
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the front is gone; the next read tells
        control.sendall(json.dumps(document).encode("ascii") + b"\n")


def _command(descriptor: int, parent: int, role: str, order: str) -> list[str]:
    return [sys.executable, "-P", "-m", __spec__.name, str(descriptor), str(parent), role, order]


def _is_single_threaded() -> bool:
    """Whether a fork is safe; elsewhere than on Linux that cannot be known, and the system's own threads forbid it."""
    try:
        return len(os.listdir("/proc/self/task")) == 1
    except OSError:
        return False


if __name__ == "__main__":
    main()
