"""Reading the history beside the event loop: a few threads, each with a connection of its own."""

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
    """Runs short reads.

    Args:
        path: a prepared database.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._own = threading.local()
        self._all: list[PredictionReader] = []
        self._executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="cvserve-reader")

    async def run(self, read: Callable[[PredictionReader], Answer]) -> Answer:
        """What `read` finds.

        Raises:
            HistoryError: the history cannot be read.
        """
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._run, read)

    def close(self) -> None:
        """Give all connections back."""
        self._executor.shutdown()
        for reader in self._all:
            reader.close()

    def _run(self, read: Callable[[PredictionReader], Answer]) -> Answer:
        reader: PredictionReader | None = getattr(self._own, "reader", None)
        if reader is None:
            reader = self._own.reader = PredictionReader(self._path)
            self._all.append(reader)
        return read(reader)
