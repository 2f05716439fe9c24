"""Reading the history without blocking the event loop: a few threads, each with its own database connection."""

import asyncio
import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

from cvserve.errors import HistoryDamaged, HistoryError, HistoryUnavailable, Overloaded
from cvserve.server.disconnect import ClientGone
from cvserve.server.turns import Turns
from cvserve.store.gate import Gate
from cvserve.store.guard import Guard
from cvserve.store.predictions import PredictionReader

# One thread is for reads of one row, which are done in microseconds and wait for no list.
_SCANS = 4
_SCANS_OF_ONE = 2
_WAITING_OF_ONE = 64
_LOOK_INTERVAL_S = 0.1
SCAN_LIMIT_S = 2.0
TURN_LIMIT_S = 5.0
Answer = TypeVar("Answer")
Read = Callable[[PredictionReader], Answer]


class Readers:
    """Threads that run queries for the event loop.

    SQLite blocks the thread that asks it, so queries must not run on the event loop. Reads that may take long, *scans*,
    take turns by token, have a time limit, and end when nobody waits for them any more.

    All connections are opened here, while the path leads to the file that the writer has open.

    Args:
        path: a prepared database.
        guard: of its writer; is told of damage, and says when nothing can be read.
        gate: of its writer; is passed by each scan.
        scan_limit_s: for one scan.
        turn_limit_s: for which the first scan of an answer waits for its turn.
    """

    def __init__(
        self,
        path: Path,
        guard: Guard,
        gate: Gate,
        *,
        scan_limit_s: float = SCAN_LIMIT_S,
        turn_limit_s: float = TURN_LIMIT_S,
    ) -> None:
        self._guard = guard
        self._gate = gate
        self._scan_limit_s = scan_limit_s
        self._turn_limit_s = turn_limit_s
        self._all = [PredictionReader(path, guard.is_kept) for _ in range(_SCANS + 1)]
        self._quick_reader, *scanning = self._all
        self._free: SimpleQueue[PredictionReader] = SimpleQueue()
        for reader in scanning:
            self._free.put(reader)
        self._quick = ThreadPoolExecutor(1, thread_name_prefix="cvserve-reader")
        self._scans = ThreadPoolExecutor(_SCANS, thread_name_prefix="cvserve-scan")
        self._turns = Turns(_SCANS, _SCANS_OF_ONE, _WAITING_OF_ONE)

    async def read(self, read: Read[Answer]) -> Answer:
        """Call `read` for one row, or for a few that are found by an index.

        Raises:
            HistoryError: the history cannot be read.
        """
        return await asyncio.get_running_loop().run_in_executor(self._quick, self._run, self._quick_reader, read)

    async def scan(
        self, read: Read[Answer], owner: Hashable, has_left: Callable[[], bool], *, is_first: bool = True
    ) -> Answer:
        """Call `read` for many rows, when it is the owner's turn.

        Args:
            read: one short read.
            owner: who asks, such as the id of a token.
            has_left: tells, without waiting, that nobody will hear the answer; the read is then interrupted.
            is_first: nothing of the answer was sent yet, so that it can still be refused when the turn does not come.

        Raises:
            Overloaded: it was not the owner's turn in time, or the read took too long.
            HistoryError: the history cannot be read.
            ClientGone: `has_left` says so.
        """
        await self._wait_for_turn(owner, has_left, is_first)
        job = _Job(self._scan_limit_s)
        loop = asyncio.get_running_loop()
        try:
            future = loop.run_in_executor(self._scans, self._run_scan, job, read)
        except BaseException:
            self._turns.leave(owner)
            raise
        future.add_done_callback(lambda ended: _forget(ended, self._turns, owner))
        try:
            return await _watch(future, job, has_left)
        except asyncio.CancelledError:
            job.stop()
            raise

    def close(self) -> None:
        """Stop the scans, wait for the other reads, then close all connections. May be called twice."""
        readers, self._all = self._all, []
        for reader in readers:
            if reader is not self._quick_reader:
                reader.stop()
        self._scans.shutdown()
        self._quick.shutdown()
        for reader in readers:
            reader.close()

    async def _wait_for_turn(self, owner: Hashable, has_left: Callable[[], bool], is_first: bool) -> None:
        turn = self._turns.ask(owner, is_bounded=is_first)
        begin = time.monotonic()
        try:
            while not turn.done():
                await asyncio.wait((turn,), timeout=_LOOK_INTERVAL_S)
                if turn.done():
                    return
                if has_left():
                    raise ClientGone
                if is_first and time.monotonic() - begin > self._turn_limit_s:
                    raise Overloaded("The history has too many lists to read; try again in a moment.", "history_turn")
        except BaseException:
            if not turn.cancel():
                self._turns.leave(owner)
            raise

    def _run(self, reader: PredictionReader, read: Read[Answer]) -> Answer:
        if (fault := self._guard.fault) is not None:
            raise HistoryUnavailable(str(fault))  # one of its own: an error keeps the stack of whom it was raised for
        try:
            return read(reader)
        except HistoryDamaged:
            self._guard.suspect()
            raise

    def _run_scan(self, job: "_Job", read: Read[Answer]) -> Answer:
        reader = self._free.get()
        try:
            with self._gate:
                job.begin(reader)
                return self._run(reader, read)
        except HistoryError:
            if job.is_stopped:
                raise Overloaded(
                    f"This list takes longer to find than the {self._scan_limit_s:g} s that it may; narrow it by since,"
                    " until, label or model, or by after and before.",
                    "history_scan",
                ) from None
            raise
        finally:
            job.end()
            self._free.put(reader)


class _Job:
    """One scan: when it began, and the way to stop it."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._reader: PredictionReader | None = None
        self._begun_at: float | None = None
        self._lock = threading.Lock()
        self.is_stopped = False

    def begin(self, reader: PredictionReader) -> None:
        """The thread has the reader and begins."""
        with self._lock:
            reader.resume()
            self._reader, self._begun_at = reader, time.monotonic()
            if self.is_stopped:
                reader.stop()

    def end(self) -> None:
        """The thread gives the reader back: to stop this job must not stop the next one."""
        with self._lock:
            self._reader = None

    @property
    def is_late(self) -> bool:
        """Whether it has run for longer than it may."""
        return self._begun_at is not None and time.monotonic() - self._begun_at > self._limit_s

    def stop(self) -> None:
        """Interrupt it."""
        with self._lock:
            self.is_stopped = True
            if self._reader is not None:
                self._reader.stop()


async def _watch(future: "asyncio.Future[Answer]", job: _Job, has_left: Callable[[], bool]) -> Answer:
    """Wait for a scan, and stop it when it is late or nobody waits for it."""
    while not future.done():
        await asyncio.wait((future,), timeout=_LOOK_INTERVAL_S)
        if future.done():
            break
        if has_left():
            job.stop()
            raise ClientGone
        if job.is_late:
            job.stop()
    return future.result()


def _forget(ended: "asyncio.Future[Answer]", turns: Turns, owner: Hashable) -> None:
    turns.leave(owner)
    if not ended.cancelled():
        ended.exception()  # looked at, so that asyncio does not complain where the asker has left
