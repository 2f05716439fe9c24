"""Memory of an engine's processes, and how soon a worker is there: forked from the fork server, or started afresh.

python benchmarks/worker_memory.py [MODEL]     Markdown on stdout; default: the built-in model; Linux

PSS counts a page that several processes share as one part of it each, so the sum over the tree is what it takes.
"""

import asyncio
import os
import sys
import threading
import time
from pathlib import Path

from cvserve.engine.engine import Engine
from cvserve.engine.fork_server import ModelOrder
from cvserve.engine.process_pool import ProcessPool
from cvserve.predictor.predictor import Predictor

WORKERS = (1, 2, 4)


def load(model: str | None, keeps_a_thread: bool) -> Predictor:
    """What the fork server loads; a second thread forbids it to fork."""
    if keeps_a_thread:
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    return Predictor.load(model)


def tree(pid: int) -> list[int]:
    """A process and all that came from it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [pid, *(found for child in children for found in tree(int(child)))]


def pss_mib(pids: list[int]) -> float:
    """Proportional set size of some processes together."""
    texts = [Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii") for pid in pids]
    return sum(int(line.split()[1]) for text in texts for line in text.splitlines() if line.startswith("Pss:")) / 1024


async def measured(model: str | None, workers: int, forked: bool) -> tuple[float, float]:
    """PSS in MiB of fork server and workers, and seconds until all workers have joined a loaded fork server."""
    pool = ProcessPool(ModelOrder("worker_memory:load", {"model": model, "keeps_a_thread": not forked}), workers)
    try:
        pool.wait_loaded()
        engine = Engine(pool)
        begin = time.perf_counter()
        await engine.start()
        took_s = time.perf_counter() - begin
        size_mib = pss_mib(tree(os.getpid())[1:])
        await engine.close()
    finally:
        pool.kill()
    return size_mib, took_s


def main() -> None:
    """Print the table."""
    model = sys.argv[1] if len(sys.argv) > 1 else None
    print("| workers | forked, MiB | joined after, ms | started afresh, MiB | joined after, ms |")
    print("|--:|--:|--:|--:|--:|")
    for workers in WORKERS:
        cells = [f"{workers}"]
        for forked in (True, False):
            size_mib, took_s = asyncio.run(measured(model, workers, forked))
            cells += [f"{size_mib:.0f}", f"{took_s * 1000:.0f}"]
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
