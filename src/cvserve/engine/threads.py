"""The engine on threads of this process: for tests, notebooks and apps that mount cvserve."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from loguru import logger

from cvserve.engine.admission import AdmissionQueue
from cvserve.engine.task import Outcome, Task
from cvserve.engine.worker_loop import WorkerLoop
from cvserve.errors import CvserveError, NotReady, PredictTimeout
from cvserve.predictor.prediction import Prediction
from cvserve.predictor.predictor import Predictor

_SWEEP_INTERVAL_S = 0.1


@dataclass(slots=True)
class _Job:
    task: Task
    future: "asyncio.Future[Prediction]"
    submitted_at: float = field(default_factory=time.monotonic)

    @property
    def size_bytes(self) -> int:
        return len(self.task.data)

    @property
    def is_cancelled(self) -> bool:
        return self.future.done()


_Deliver = Callable[[Sequence[_Job], float, Sequence[Outcome]], None]


class ThreadEngine:
    """Runs one predictor on `threads` threads for the callers of one event loop.

    Args:
        predictor: warmed up by `start`.
        threads: compute threads.
        max_queue, max_queue_bytes, max_batch_size, predict_timeout: as in `Settings`; the timeout in seconds.
    """

    def __init__(
        self,
        predictor: Predictor,
        *,
        threads: int = 1,
        max_queue: int = 1024,
        max_queue_bytes: int = 256 * 1024**2,
        max_batch_size: int = 64,
        predict_timeout: float = 30.0,
    ) -> None:
        self._predictor = predictor
        self._queue: AdmissionQueue[_Job] = AdmissionQueue(max_queue, max_queue_bytes, max_batch_size)
        self._predict_timeout_s = predict_timeout
        self._in_flight: deque[tuple[float, asyncio.Future[Prediction]]] = deque()
        self._sweeper: asyncio.TimerHandle | None = None
        self._is_warm = False
        self._threads = [
            threading.Thread(target=self._work, name=f"cvserve-worker-{number}", daemon=True)
            for number in range(threads)
        ]

    async def start(self) -> None:
        """Warm the model up and begin to work.

        Raises:
            CvserveError: the model cannot answer a plain picture.
        """
        self._loop = asyncio.get_running_loop()
        await self._loop.run_in_executor(None, self._predictor.warm_up)
        for thread in self._threads:
            thread.start()
        self._is_warm = True

    @property
    def is_ready(self) -> bool:
        """Whether the model is warm and somebody lives to run it."""
        return self._is_warm and self.live_workers > 0

    @property
    def live_workers(self) -> int:
        """Threads that run."""
        return sum(thread.is_alive() for thread in self._threads)

    @property
    def waiting(self) -> int:
        """Pictures in the queue."""
        return len(self._queue)

    def submit(self, tasks: Sequence[Task]) -> list["asyncio.Future[Prediction]"]:
        """Admit all tasks or none; each future ends with its own answer or error.

        A future that is cancelled before a worker took its task is never worked on.

        Raises:
            Overloaded, NotReady: nothing was admitted.
        """
        if not self._is_warm:
            raise NotReady("The model is loading; send the request again in a moment.")
        jobs = [_Job(task, self._loop.create_future()) for task in tasks]
        self._queue.put(jobs)
        self._in_flight.extend((job.submitted_at, job.future) for job in jobs)
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(_SWEEP_INTERVAL_S, self._sweep)
        return [job.future for job in jobs]

    async def close(self) -> None:
        """Finish what was admitted, then stop."""
        self._is_warm = False
        self._queue.close()
        for thread in self._threads:
            if thread.is_alive():
                await self._loop.run_in_executor(None, thread.join, self._predict_timeout_s)
        if self._sweeper is not None:
            self._sweeper.cancel()

    def _work(self) -> None:
        WorkerLoop(self._predictor, _QueueChannel(self._queue, self._deliver)).run()

    def _deliver(self, jobs: Sequence[_Job], taken_at: float, outcomes: Sequence[Outcome]) -> None:
        """From a worker's thread to the loop, one hop for the whole batch."""
        self._loop.call_soon_threadsafe(_resolve, jobs, taken_at, outcomes)

    def _sweep(self) -> None:
        """End what took too long. Jobs were admitted in the order of their deadlines."""
        now = time.monotonic()
        while self._in_flight:
            submitted_at, future = self._in_flight[0]
            if not future.done():
                if now - submitted_at < self._predict_timeout_s:
                    break
                future.set_exception(PredictTimeout(f"The model took longer than {self._predict_timeout_s:g} s."))
            self._in_flight.popleft()
        self._sweeper = self._loop.call_later(_SWEEP_INTERVAL_S, self._sweep) if self._in_flight else None


class _QueueChannel:
    """A worker's channel on the queue between threads."""

    def __init__(self, queue: AdmissionQueue[_Job], deliver: _Deliver) -> None:
        self._queue = queue
        self._deliver = deliver
        self._jobs: list[_Job] = []
        self._taken_at = 0.0

    def take(self) -> list[Task]:
        self._jobs = self._queue.take()
        self._taken_at = time.monotonic()
        return [job.task for job in self._jobs]

    def answer(self, outcomes: Sequence[Outcome]) -> None:
        self._deliver(self._jobs, self._taken_at, outcomes)


def _resolve(jobs: Sequence[_Job], taken_at: float, outcomes: Sequence[Outcome]) -> None:
    for job, outcome in zip(jobs, outcomes, strict=True):
        if isinstance(outcome, CvserveError) and outcome.__cause__ is not None:
            logger.opt(exception=outcome.__cause__).error("model: {}", outcome)
        if job.future.done():
            continue  # its caller left, or it took too long
        if isinstance(outcome, CvserveError):
            job.future.set_exception(outcome)
        else:
            job.future.set_result(outcome.with_queue_ms(round((taken_at - job.submitted_at) * 1000, 3)))
