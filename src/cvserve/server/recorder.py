"""The writer seen from the event loop: rows in, ids when they are committed, one hop a group, none for a row alone."""

import asyncio
import functools
from collections.abc import Sequence
from pathlib import Path

from cvserve.errors import HistoryError
from cvserve.store.rows import NewRow, Stored
from cvserve.store.writer import Done, HistoryWriter, Result


class Recorder:
    """Stores rows for the callers of one event loop.

    Args:
        path: a prepared database.
        durability: `full` or `normal`.
    """

    def __init__(self, path: Path, durability: str) -> None:
        self._gathered: list[tuple[Sequence[NewRow], asyncio.Future[list[Stored]]]] = []
        self._writer = HistoryWriter(path, self._deliver, durability=durability)

    def start(self) -> None:
        """Begin; to be called in the loop that will record."""
        self._loop = asyncio.get_running_loop()
        self._writer.start()

    async def record(self, rows: Sequence[NewRow], *, alone: bool = False) -> list[Stored]:
        """Store all rows in one transaction; returns after the commit.

        Args:
            rows: of one request.
            alone: whether nobody else is there whose rows could go with them.

        Raises:
            HistoryError: nothing was stored.
        """
        if alone and (stored := self._writer.store_now(rows)) is not None:
            return stored
        future: asyncio.Future[list[Stored]] = self._loop.create_future()
        if not self._gathered:
            self._loop.call_soon(self._hand_over)
        self._gathered.append((rows, future))
        return await future

    def _hand_over(self) -> None:
        """All that is ready in this turn of the event loop, so that the writer wakes up once and finds all of it."""
        gathered, self._gathered = self._gathered, []
        for rows, future in gathered:
            done = functools.partial(_resolve, future)
            try:
                self._writer.submit(rows, done)
            except HistoryError as error:
                done(error)

    async def is_writable(self) -> bool:
        """Whether the last commit worked; after a failure a small one is tried."""
        if self._writer.failure is None:
            return True
        try:
            await self.record([])
        except HistoryError:
            return False
        return True

    def close(self) -> None:
        """Commit what waits, then stop. Blocks: not for the event loop."""
        self._writer.close()

    def _deliver(self, results: list[tuple[Done, Result]]) -> None:
        self._loop.call_soon_threadsafe(_call_all, results)


def _resolve(future: "asyncio.Future[list[Stored]]", result: Result) -> None:
    if future.done():
        return  # its caller left; the rows stay
    if isinstance(result, HistoryError):
        future.set_exception(result)
    else:
        future.set_result(result)


def _call_all(results: list[tuple[Done, Result]]) -> None:
    for done, result in results:
        done(result)
