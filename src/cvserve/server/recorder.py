"""The history's writer as the event loop uses it: rows in, a wait, ids out."""

import asyncio
import functools
import math
import time
from collections.abc import Sequence
from pathlib import Path

from cvserve.errors import HistoryError
from cvserve.store.gate import Gate
from cvserve.store.guard import Guard
from cvserve.store.rows import NewRow, Stored
from cvserve.store.writer import Done, HistoryWriter, Result

_ATTEMPT_S = 0.5
# What was stored so short a time ago shows that the history can be written.
_FRESH_S = 1.0


class Recorder:
    """Stores rows for the requests of one event loop.

    The database is written by a thread, as a commit waits for the disk. Waking that thread, and being woken by it,
    costs more than handing over a row, so rows cross in groups: those of one turn of the event loop on their way in,
    those of one commit on their way back.

    Args:
        path: a prepared database.
        durability: `full` or `normal`, as in the settings.
    """

    def __init__(self, path: Path, durability: str) -> None:
        self._attempt: asyncio.Task[bool] | None = None
        self._stored_at = -math.inf
        self._gathered: list[tuple[Sequence[NewRow], asyncio.Future[list[Stored]]]] = []
        self._writer = HistoryWriter(path, self._deliver, durability=durability)

    @property
    def guard(self) -> Guard:
        """Knows whether the database is in its place and whole."""
        return self._writer.guard

    @property
    def gate(self) -> Gate:
        """To be passed by each read that may take long."""
        return self._writer.gate

    def start(self) -> None:
        """Start the writer's thread; to be called in the event loop that will record."""
        self._loop = asyncio.get_running_loop()
        self._writer.start()

    async def record(self, rows: Sequence[NewRow]) -> list[Stored]:
        """Store all rows of a request in one transaction.

        Returns:
            Ids and time of the rows, in order, once they are committed.

        Raises:
            HistoryError: nothing was stored.
        """
        future: asyncio.Future[list[Stored]] = self._loop.create_future()
        if not self._gathered:
            self._loop.call_soon(self._submit_gathered)
        self._gathered.append((rows, future))
        stored = await future
        self._stored_at = time.monotonic()
        return stored

    def _submit_gathered(self) -> None:
        """Hand over all rows of this turn of the event loop: the writer's thread wakes up once for all of them."""
        gathered, self._gathered = self._gathered, []
        for rows, future in gathered:
            done = functools.partial(_resolve, future)
            try:
                self._writer.submit(rows, done)
            except HistoryError as error:
                done(error)

    async def is_writable(self) -> bool:
        """Whether the history can be written: unless something was stored a moment ago, a small commit is tried.

        The answer never waits longer than half a second: a probe that waits for an answer has a time-out of its own,
        and somebody else's lock may last. All who ask meanwhile share one attempt.
        """
        if self._writer.failure is None and time.monotonic() - self._stored_at < _FRESH_S:
            return True
        if self._attempt is None or self._attempt.done():
            self._attempt = asyncio.ensure_future(self._try_to_write())
        done, _ = await asyncio.wait((self._attempt,), timeout=_ATTEMPT_S)
        return bool(done) and self._attempt.result()

    async def _try_to_write(self) -> bool:
        try:
            await self.record([])
        except HistoryError:
            return False
        return True

    def close(self) -> None:
        """Commit what waits, then stop. Blocks, so it must not be called while the event loop has to answer."""
        self._writer.close()

    def _deliver(self, results: list[tuple[Done, Result]]) -> None:
        self._loop.call_soon_threadsafe(_call_all, results)


def _resolve(future: "asyncio.Future[list[Stored]]", result: Result) -> None:
    if future.done():
        return  # its request was cancelled; the rows stay
    if isinstance(result, HistoryError):
        future.set_exception(result)
    else:
        future.set_result(result)


def _call_all(results: list[tuple[Done, Result]]) -> None:
    for done, result in results:
        done(result)
