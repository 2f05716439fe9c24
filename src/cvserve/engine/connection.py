"""One worker process seen from the front: frames out, frames in, pings, and how it is killed when it hangs."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Sequence
from typing import Any, Protocol

from loguru import logger

from cvserve.engine.frames import LENGTH, BrokenFrame, pack_tasks, unpack_outcomes
from cvserve.engine.kernel import HELD, STOPPED, read_state
from cvserve.engine.task import Outcome, Task
from cvserve.predictor.prediction import ModelInfo

# Answers are numbers and short texts: 64 of them with 30,000 classes each have half of this.
_MAX_FRAME_BYTES = 256 * 1024**2
# From SIGABRT, on which a worker prints its stacks, to SIGKILL.
_DUMP_S = 0.2


class ProcessSupervisor(Protocol):
    """Who is told what happens on a worker's connection. The pool of processes is one."""

    def on_ready(self, worker: "ProcessWorker") -> None:
        """The worker is warm and waits for its first batch."""

    def on_answer(self, worker: "ProcessWorker", outcomes: Sequence[Outcome]) -> None:
        """The worker has answered its batch: one outcome for each task, in order."""

    def on_end(self, worker: "ProcessWorker") -> None:
        """The connection, and so the worker's life, has ended."""


class ProcessWorker(asyncio.Protocol):
    """The connection to one worker. A `Worker`, and what asyncio calls when bytes come or the connection ends.

    Args:
        supervisor: is told what happens.
        info: the model that the worker runs.

    Attributes:
        pid: of the process, once the fork server has reported it.
        is_warm: it has said that it can work.
        is_retiring: it gets no further batch.
        is_broken: it has sent what is no frame.
        is_orphan: its fork server is gone; nobody will tell how it ended.
        hung: it was ended because it did not answer.
        was_held: when it was given up it was stopped, or waited for a disk: nothing that it held had a part in that.
        unanswered_pings: pings since it last answered anything; or how often a busy one was found stopped in a row.
        exit_code: of the process, once the fork server has reported it; negative for a signal.
        gone: ends with the connection.
    """

    def __init__(self, supervisor: ProcessSupervisor, info: ModelInfo) -> None:
        self.pid: int | None = None
        self.is_warm = self.is_retiring = self.is_broken = self.is_orphan = False
        self.hung = self.was_held = False
        self.unanswered_pings = 0
        self.exit_code: int | None = None
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._supervisor = supervisor
        self._info = info
        self._is_busy = False
        self._buffer = bytearray()
        self._transport: Any = None

    def give(self, tasks: Sequence[Task]) -> None:
        """Send a batch; the frame with its answers ends in `ProcessSupervisor.on_answer`."""
        self._is_busy = True
        self._transport.writelines(pack_tasks(tasks))

    def ping(self) -> None:
        """Ask an idle worker whether it is there. One with a batch has a deadline, and is asked after in the kernel."""
        if not self.is_warm:
            return
        if not self._is_busy:
            self.unanswered_pings += 1
            self._transport.writelines(pack_tasks([]))
        elif read_state(self.pid) in STOPPED:
            self.unanswered_pings += 1
        else:
            self.unanswered_pings = 0

    def end_hung(self) -> None:
        """End it because it does not answer: on SIGABRT it prints where it is; SIGKILL ends also a stopped process."""
        if not self.hung:
            self.hung = True
            self.was_held = read_state(self.pid) in HELD
            logger.error("engine: worker {} does not answer and is ended; it was here:", self.pid)
            self._signal(signal.SIGABRT)
            asyncio.get_running_loop().call_later(_DUMP_S, self.kill)

    def close(self) -> None:
        """Close the connection: an idle worker ends by itself."""
        if self._transport is not None:
            self._transport.close()

    def kill(self) -> None:
        """End the process at once, if it lives."""
        self._signal(signal.SIGKILL)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what sends; asyncio calls this once, before anything comes."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Act on each frame that is complete; asyncio calls this whenever bytes have come."""
        if self.is_broken:
            return
        self._buffer += data
        while len(self._buffer) >= LENGTH.size:
            (size,) = LENGTH.unpack_from(self._buffer)
            end = LENGTH.size + size
            if size > _MAX_FRAME_BYTES:
                self._end_broken()
                return
            if len(self._buffer) < end:
                return
            body = bytes(self._buffer[LENGTH.size : end])
            del self._buffer[:end]
            self._handle_frame(body)

    def connection_lost(self, error: Exception | None) -> None:
        """Tell that the worker is gone; asyncio calls this once, after the last bytes."""
        if not self.gone.done():
            self.gone.set_result(None)
        self._supervisor.on_end(self)

    def _handle_frame(self, body: bytes) -> None:
        try:
            outcomes = unpack_outcomes(body, self._info)
        except BrokenFrame:
            self._end_broken()
            return
        if outcomes:
            self._is_busy = False
            self.unanswered_pings = 0
            self._supervisor.on_answer(self, outcomes)
        elif not self.is_warm:
            self.is_warm = True
            self._supervisor.on_ready(self)
        else:
            self.unanswered_pings = 0

    def _end_broken(self) -> None:
        """End a worker that sent bytes that are no frame, and read nothing more from it."""
        logger.error("engine: worker {} sent bytes that are no frame and is ended", self.pid)
        self.is_broken = True
        self._buffer.clear()
        self.kill()

    def _signal(self, number: signal.Signals) -> None:
        if self.exit_code is not None or (self.is_orphan and self.gone.done()):
            return
        if self.pid is None:
            self.close()  # it was asked for a moment ago; without a connection it ends
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)
