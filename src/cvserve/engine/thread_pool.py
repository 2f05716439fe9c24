"""Workers on threads of this process: for tests, notebooks and apps that mount cvserve."""

import asyncio
import threading
from collections.abc import Sequence
from queue import SimpleQueue

from cvserve.devices import computes_beside
from cvserve.engine.protocols import Supervisor
from cvserve.engine.task import Outcome, Task
from cvserve.engine.worker_loop import WorkerLoop
from cvserve.errors import CvserveError
from cvserve.predictor.predictor import Predictor

_JOIN_TIMEOUT_S = 30.0


class ThreadPool:
    """Runs one predictor on several threads. A `WorkerPool`.

    Args:
        predictor: one that is loaded; `start` warms it up.
        threads: how many.
    """

    def __init__(self, predictor: Predictor, threads: int = 1) -> None:
        self.info = predictor.info
        self.guessed = predictor.guessed
        self.wanted = threads
        self._predictor = predictor
        self._workers: list[_ThreadWorker] = []

    def wait_loaded(self) -> None:
        """Return at once: whoever made the predictor has loaded it."""

    async def start(self, supervisor: Supervisor) -> None:
        """Warm the model up, then start the threads.

        Args:
            supervisor: is told of every worker and of every answer.

        Raises:
            CvserveError: the model cannot answer.
        """
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self._predictor.warm_up)
        for number in range(self.wanted):
            worker = _ThreadWorker(self._predictor, supervisor, loop, number)
            self._workers.append(worker)
            if computes_beside(self.info.device):
                await loop.run_in_executor(None, worker.work.warm_up)
            supervisor.on_ready(worker)

    async def close(self) -> None:
        """Let the threads end after their batch and wait for them; one that hangs is left behind."""
        self.kill()
        loop = asyncio.get_running_loop()
        for worker in self._workers:
            if not worker.is_hung:
                await loop.run_in_executor(None, worker.thread.join, _JOIN_TIMEOUT_S)

    def kill(self) -> None:
        """Let the threads end after their batch: no thread can be killed."""
        for worker in self._workers:
            worker.tasks.put([])


class _ThreadWorker:
    """One thread, and its channel to the event loop: a queue in, a call in the loop's thread out."""

    def __init__(
        self, predictor: Predictor, supervisor: Supervisor, loop: asyncio.AbstractEventLoop, number: int
    ) -> None:
        self._supervisor = supervisor
        self._loop = loop
        self.tasks: SimpleQueue[Sequence[Task]] = SimpleQueue()
        self.is_hung = self.is_retiring = False
        self.work = WorkerLoop(predictor, self)
        self.thread = threading.Thread(target=self.work.run, name=f"cvserve-worker-{number}", daemon=True)
        self.thread.start()

    def give(self, tasks: Sequence[Task]) -> None:
        self.tasks.put(tasks)

    def end_hung(self) -> None:
        """A thread cannot be ended: its late answer is dropped, and until then there is one worker less."""
        self.is_hung = True

    def take(self) -> Sequence[Task]:
        return self.tasks.get()

    def answer(self, outcomes: Sequence[Outcome]) -> None:
        self.is_hung = False
        for outcome in outcomes:
            if isinstance(outcome, CvserveError):
                # They lead to the frames that hold the pictures, and these to the outcome: a ring.
                outcome.__traceback__ = outcome.__context__ = None
        self._loop.call_soon_threadsafe(self._supervisor.on_answer, self, outcomes)
