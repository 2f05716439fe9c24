"""Reading the history without blocking the event loop: a few threads, each with its own database connection."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from cvserve.store.predictions import PredictionReader

_THREADS = 4
Answer = TypeVar("Answer")


class Readers:
    """A pool of threads that run queries for the event loop.

    SQLite blocks the thread that asks it, so queries must not run on the event loop. A connection is opened when its
    thread gets its first query.

    Args:
        path: a prepared database.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._own = threading.local()
        self._all: list[PredictionReader] = []
        self._executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="cvserve-reader")

    async def run(self, read: Callable[[PredictionReader], Answer]) -> Answer:
        """Call `read` with a reader in one of the threads and return its result.

        Args:
            read: keeps it short; a long read makes the write-ahead log (WAL) grow.

        Raises:
            HistoryError: the history cannot be read.
        """
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._run, read)

    def close(self) -> None:
        """Wait for the queries that run, then close all connections."""
        self._executor.shutdown()
        for reader in self._all:
            reader.close()

    def _run(self, read: Callable[[PredictionReader], Answer]) -> Answer:
        reader: PredictionReader | None = getattr(self._own, "reader", None)
        if reader is None:
            reader = self._own.reader = PredictionReader(self._path)
            self._all.append(reader)
        return read(reader)
