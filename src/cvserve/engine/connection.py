"""One worker process seen from the front: frames out, frames in, and the end of its connection."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Sequence
from typing import Any, Protocol

from loguru import logger

from cvserve.engine.frames import LENGTH, BrokenFrame, pack_tasks, unpack_outcomes
from cvserve.engine.task import Outcome, Task
from cvserve.predictor.prediction import ModelInfo

# Answers are numbers and short texts; no honest worker sends more.
_MAX_FRAME_BYTES = 64 * 1024**2
# Time for the dump of its stacks between being told to stop and being stopped.
_DUMP_S = 0.2


class Overseer(Protocol):
    """Whom a worker's connection tells. The pool is one."""

    def joined(self, worker: "ProcessWorker") -> None:
        """It is warm."""

    def answered(self, worker: "ProcessWorker", outcomes: Sequence[Outcome]) -> None:
        """Its batch is done."""

    def left(self, worker: "ProcessWorker") -> None:
        """Its connection, and so its life, has ended."""


class ProcessWorker(asyncio.Protocol):
    """The connection to one worker.

    Args:
        overseer: hears what happens.
        info: the model that it runs.

    Attributes:
        pid: of the process, once the nursery has said it.
        is_warm: it has said that it can work.
        is_retiring: it gets no further batch.
        hung: it was ended because it did not answer.
        unanswered_pings: since it was idle.
        gone: ends with the connection.
    """

    def __init__(self, overseer: Overseer, info: ModelInfo) -> None:
        self.pid: int | None = None
        self.is_warm = self.is_retiring = self.hung = False
        self.unanswered_pings = 0
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._overseer = overseer
        self._info = info
        self._is_busy = self._is_distrusted = False
        self._buffer = bytearray()
        self._transport: Any = None

    def give(self, tasks: Sequence[Task]) -> None:
        """As `Worker` says."""
        self._is_busy = True
        self._transport.writelines(pack_tasks(tasks))

    def ping(self) -> None:
        """Ask an idle worker whether it is there; one with a batch has a deadline instead."""
        if self.is_warm and not self._is_busy:
            self.unanswered_pings += 1
            self._transport.writelines(pack_tasks([]))

    def end_hung(self) -> None:
        """As `Worker` says: SIGABRT makes it print where it is, SIGKILL ends also a stopped process."""
        if not self.hung:
            self.hung = True
            logger.error("engine: worker {} does not answer and is ended; it was here:", self.pid)
            self._signal(signal.SIGABRT)
            asyncio.get_running_loop().call_later(_DUMP_S, self.kill)

    def close(self) -> None:
        """Nothing more comes: an idle worker ends by itself."""
        if self._transport is not None:
            self._transport.close()

    def kill(self) -> None:
        """End it at once, if it lives."""
        self._signal(signal.SIGKILL)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """As asyncio's."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """As asyncio's: whole frames are acted on, the rest waits."""
        self._buffer += b"" if self._is_distrusted else data
        while len(self._buffer) >= LENGTH.size:
            (size,) = LENGTH.unpack_from(self._buffer)
            end = LENGTH.size + size
            if size > _MAX_FRAME_BYTES:
                self._distrust()
                return
            if len(self._buffer) < end:
                return
            body = bytes(self._buffer[LENGTH.size : end])
            del self._buffer[:end]
            self._hear(body)

    def connection_lost(self, error: Exception | None) -> None:
        """As asyncio's."""
        if not self.gone.done():
            self.gone.set_result(None)
        self._overseer.left(self)

    def _hear(self, body: bytes) -> None:
        try:
            outcomes = unpack_outcomes(body, self._info)
        except BrokenFrame:
            self._distrust()
            return
        if outcomes:
            self._is_busy = False
            self.unanswered_pings = 0
            self._overseer.answered(self, outcomes)
        elif not self.is_warm:
            self.is_warm = True
            self._overseer.joined(self)
        else:
            self.unanswered_pings = 0

    def _distrust(self) -> None:
        """Hear nothing more from a worker that says what no worker says."""
        logger.error("engine: worker {} says what no worker says and is ended", self.pid)
        self._is_distrusted = True
        self._buffer.clear()
        self.kill()

    def _signal(self, number: signal.Signals) -> None:
        if self.gone.done():
            return
        if self.pid is None:
            self.close()  # it was asked for a moment ago; without us it ends
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)
