"""Engines on threads and on processes, with the same fake models, so that the same tests run against both."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from cvserve.engine.engine import Engine
from cvserve.engine.fork_server import ModelOrder
from cvserve.engine.process_pool import ProcessPool
from cvserve.engine.protocols import WorkerPool
from cvserve.engine.task import Task
from cvserve.engine.thread_pool import ThreadPool
from support.worker_fakes import make

KINDS = ("threads", "processes")


class Counts:
    """An observer that keeps what it hears."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.restarts: list[str] = []

    def count_batch(self, size: int, busy_s: float) -> None:
        assert busy_s >= 0
        self.batches.append(size)

    def count_restart(self, reason: str) -> None:
        self.restarts.append(reason)


def order(name: str, **arguments: Any) -> ModelOrder:
    """A fake model for another process."""
    return ModelOrder("support.worker_fakes:make", {"name": name, **arguments})


def pool(kind: str, model: ModelOrder, workers: int = 1, **options: Any) -> WorkerPool:
    """Workers of a kind; loaded."""
    threads = kind == "threads"
    made: WorkerPool = (
        ThreadPool(make(**model.arguments), workers) if threads else ProcessPool(model, workers, **options)
    )
    made.wait_loaded()
    return made


def run(
    kind: str,
    model: ModelOrder,
    use: Callable[[Engine], Awaitable[Any]],
    *,
    workers: int = 1,
    memory_bytes: int | None = None,
    **options: Any,
) -> Any:
    """What `use` gives on a started engine, which is closed after it."""
    extra = {} if memory_bytes is None else {"memory_bytes": memory_bytes}
    made = pool(kind, model, workers, **extra)

    async def main() -> Any:
        engine = Engine(made, **options)
        await engine.start()
        try:
            return await asyncio.wait_for(use(engine), 60)
        finally:
            await engine.close()

    try:
        return asyncio.run(main())
    finally:
        made.kill()


def tasks(*pictures: bytes, top_k: int = 5) -> list[Task]:
    """One for each picture."""
    return [Task(picture, top_k) for picture in pictures]


async def outcomes(futures: Sequence["asyncio.Future[Any]"]) -> list[Any]:
    """Answers and errors, in order."""
    return await asyncio.gather(*futures, return_exceptions=True)


async def happens(condition: Callable[[], object], timeout_s: float = 30.0) -> None:
    """Return when the condition is true; the loop goes on meanwhile."""
    pause = asyncio.Event()
    async with asyncio.timeout(timeout_s):
        while not condition():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(pause.wait(), 0.005)
