"""Our side of the Locust processes: start them, send them orders, receive what they measured.

Both sides write one JSON object a line, on pipes; `generator_main.py` is the other side and says which objects.
"""

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from cvserve.errors import CannotStart
from cvserve.loadtest.samples import Tick

_MODULE = "cvserve.loadtest.locust.generator_main"
_START_S = 60
_END_S = 30
_FIRST_DUE_S = 0.05
_SECRETS = ("CVSERVE_TOKEN", "CVSERVE_TOKEN_FILE")


class Order(NamedTuple):
    """What the processes are started with.

    Attributes:
        locustfile: its text.
        host: URL of the server.
        token: for every request; None: none.
        csv: prefix of Locust's CSV files; None: no files.
        stop_timeout_s: how long users may finish what they do.
        processes: how many.
    """

    locustfile: str
    host: str
    token: str | None
    csv: Path | None
    stop_timeout_s: float
    processes: int


class Generators:
    """Locust processes, each with a share of the users.

    Use it as a context manager; they also end when this process ends, whatever ends it.
    """

    def __init__(self, order: Order) -> None:
        self._order = order
        self._messages: queue.SimpleQueue[tuple[int, dict[str, Any] | None]] = queue.SimpleQueue()
        self._send_lock = threading.Lock()  # readers pass on what is to be merged
        self._stack = contextlib.ExitStack()
        self._processes: list[subprocess.Popen[bytes]] = []
        self._readers: list[threading.Thread] = []

    def __enter__(self) -> Self:
        """Start the processes and wait until each can take orders.

        Raises:
            CannotStart: one of them ended, or is not ready after a minute.
        """
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="cvserve-loadtest-")))
        self._errors = self._stack.enter_context((folder / "errors.txt").open("w+b"))
        path = folder / "locustfile.py"
        path.write_text(self._order.locustfile, encoding="utf-8")
        try:
            for index in range(self._order.processes):
                self._start(index, path)
            waiting = set(range(self._order.processes))
            while waiting:
                index, message = self._receive(_START_S)
                if message is not None and "ready" in message:
                    waiting.discard(index)
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def pids(self) -> list[int]:
        """Process ids, in the order of the generators' indexes."""
        return [process.pid for process in self._processes]

    def now(self) -> float:
        """The time by the clock of the ticks, in seconds."""
        return time.monotonic()

    def set_users(self, count: int, spawn_rate: float) -> None:
        """Set the number of users from now on, spread over the processes.

        Args:
            count: of all processes together.
            spawn_rate: users that start or stop a second, of all processes together.
        """
        number = len(self._processes)
        for index in range(number):
            share = count // number + (index < count % number)
            rate = max(spawn_rate * share / max(count, 1), 1.0)
            self._send(index, {"users": share, "spawn_rate": rate, "others": count - share if index == 0 else 0})

    def start_open_load(self, rate: float) -> None:
        """From now on `rate` requests are due a second, evenly spaced over all processes; 0: none is due."""
        number = len(self._processes)
        begin = time.perf_counter() + _FIRST_DUE_S
        for index in range(number):
            first = begin + index / rate if rate else None
            self._send(index, {"rate": rate / number, "first": first})

    def start_closed_load(self) -> None:
        """From now on each user sends its next request when its last answer is there."""
        for index in range(len(self._processes)):
            self._send(index, {"closed": True})

    def next_tick(self) -> Tick:
        """Wait for the next tick of any process.

        Raises:
            CannotStart: one of them ended, or none has sent anything for a minute.
        """
        while True:
            index, message = self._receive(_START_S)
            if message is not None and "end" in message:
                return Tick.from_message(index, message)

    def finish(self) -> list[Tick]:
        """Stop the users and let Locust write its CSV files.

        A process that is gone or hangs is not waited for any longer than it may take.

        Returns:
            The ticks that were still to come.
        """
        ticks: list[Tick] = []
        done: set[int] = set()
        for index in range(len(self._processes)):
            with contextlib.suppress(OSError):
                self._send(index, {"finish": True})
        with contextlib.suppress(CannotStart):
            while len(done) < len(self._processes):
                index, message = self._receive(_END_S + self._order.stop_timeout_s)
                if message is not None and "end" in message:
                    ticks.append(Tick.from_message(index, message))
                if message is not None and "done" in message:
                    done.add(index)
        for process in self._processes:
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                assert process.stdin
                process.stdin.close()
                process.wait(_END_S)
        return ticks

    def kill(self) -> None:
        """Kill the processes that still run. May be called twice."""
        for process in self._processes:
            process.kill()
            process.wait()
        for reader in self._readers:
            reader.join()
        for process in self._processes:
            for stream in (process.stdin, process.stdout):
                with contextlib.suppress(OSError):
                    assert stream
                    stream.close()
        self._stack.close()

    def _start(self, index: int, path: Path) -> None:
        environment = {name: value for name, value in os.environ.items() if name not in _SECRETS}
        environment["PYTHONPATH"] = os.pathsep.join(part or str(Path.cwd()) for part in sys.path)
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-P", "-m", _MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment,
            start_new_session=True,  # Ctrl-C is for this process, which tells them what to do
        )
        self._processes.append(process)
        reader = threading.Thread(target=self._read, args=(index, process), daemon=True)
        reader.start()
        self._readers.append(reader)
        order = self._order
        self._send(
            index,
            {
                "index": index,
                "locustfile": str(path),
                "host": order.host,
                "token": order.token,
                "csv": str(order.csv) if order.csv and index == 0 else None,
                "stop_timeout_s": order.stop_timeout_s,
            },
        )

    def _read(self, index: int, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdout
        for line in process.stdout:
            message = json.loads(line)
            if "stats" in message and index:
                with contextlib.suppress(OSError, ValueError):
                    self._send(0, {"merge": message["stats"], "index": index})
            self._messages.put((index, message))
        self._messages.put((index, None))

    def _receive(self, timeout_s: float) -> tuple[int, dict[str, Any] | None]:
        try:
            index, message = self._messages.get(timeout=timeout_s)
        except queue.Empty:
            raise CannotStart(f"The load generator sent nothing for {timeout_s} s; run it again.") from None
        if message is None:
            raise CannotStart(f"The load generator ended: {self._read_last_error()}")
        return index, message

    def _read_last_error(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else "it printed no message."

    def _send(self, index: int, message: dict[str, Any]) -> None:
        stdin = self._processes[index].stdin
        assert stdin
        with self._send_lock:
            stdin.write(json.dumps(message).encode("ascii") + b"\n")
            stdin.flush()
