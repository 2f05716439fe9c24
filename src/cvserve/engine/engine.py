"""The engine: admits pictures, forms batches, hands them to workers, and sees to it that everybody is answered.

All of it runs on one event loop, so there are no locks. Workers are threads or processes; it does not know which.
"""

import asyncio
import math
import time
from collections.abc import Callable, Hashable, Sequence

from cvserve.engine.admission import AdmissionQueue
from cvserve.engine.deadlines import Deadlines
from cvserve.engine.guilt import Guilt
from cvserve.engine.job import Batch, Job, has_worker_for_heavy, start_batch
from cvserve.engine.protocols import EngineObserver, RestartReason, Worker, WorkerPool
from cvserve.engine.suspects import Suspects
from cvserve.engine.task import Outcome, Task
from cvserve.errors import ModelError, NotReady
from cvserve.predictor.images.weight import is_heavy
from cvserve.predictor.prediction import ModelInfo, Prediction

_SWEEP_INTERVAL_S = 0.1
_MAX_STOOD_S = 1.0
# A batch is to be done in this share of `predict_timeout`, as far as one can tell from the batches before it.
_PLANNED_SHARE = 0.25
_MISCOUNTED = "The worker answered for another number of pictures than it was given."


class Engine:
    """Runs one model for the callers of one event loop. It is the `Supervisor` of its workers.

    Args:
        pool: makes the workers; its model is loaded.
        max_queue: pictures that may wait; more are refused with `Overloaded`.
        max_batch_size: pictures that a worker is given at once, at most.
        predict_timeout: seconds from admission to answer; then a caller gets `PredictTimeout`, and a worker that
            has held a batch for a share of it counts as hung.
        observer: counts batches and restarts; default: nobody does.
    """

    def __init__(
        self,
        pool: WorkerPool,
        *,
        max_queue: int = 1024,
        max_batch_size: int = 64,
        predict_timeout: float = 30.0,
        observer: EngineObserver | None = None,
    ) -> None:
        self.max_queue = max_queue
        self._pool = pool
        self._observer = observer
        self._queue: AdmissionQueue[Job] = AdmissionQueue(max_queue, max_batch_size)
        self._timeout_s = predict_timeout
        self._planned_s = predict_timeout * _PLANNED_SHARE
        self._deadlines = Deadlines(predict_timeout)
        self._suspects = Suspects(self._deadlines.make_timeout_error)
        self._free: list[Worker] = []
        self._busy: dict[Worker, Batch] = {}
        self._picture_s = 0.0
        self._dispatching = False
        self._sweeper: asyncio.TimerHandle | None = None
        self._is_open = False

    async def start(self) -> None:
        """Make the workers; returns when they are ready. To be called once, on the loop of all later calls.

        Raises:
            CvserveError: the model cannot answer.
        """
        self._loop = asyncio.get_running_loop()
        await self._pool.start(self)
        self._is_open = True

    @property
    def info(self) -> ModelInfo:
        """Which model answers."""
        return self._pool.info

    @property
    def guessed(self) -> tuple[str, ...]:
        """What about the model was neither configured nor read from the file."""
        return self._pool.guessed

    @property
    def is_ready(self) -> bool:
        """Whether a picture would be worked on now: the model is warm and somebody lives to run it."""
        return self._is_open and self.live_workers > 0

    @property
    def live_workers(self) -> int:
        """Workers that are warm."""
        return len(self._free) + len(self._busy)

    @property
    def wanted_workers(self) -> int:
        """Workers that there should be."""
        return self._pool.wanted

    @property
    def waiting(self) -> int:
        """Pictures in the queue."""
        return len(self._queue)

    def check_room(self, owner: Hashable = None) -> None:
        """Find out before a body is read whether its picture would find no place.

        Args:
            owner: who sends it.

        Raises:
            Overloaded: the queue is full, and this owner has its share of it.
        """
        self._queue.check_room(owner)

    def submit(
        self, tasks: Sequence[Task], has_left: Callable[[], bool] | None = None, owner: Hashable = None
    ) -> list["asyncio.Future[Prediction]"]:
        """Admit all tasks or none; each future ends with its own answer or error.

        Args:
            tasks: pictures.
            has_left: tells, without waiting, that nobody wants the answers any more; asked before a worker takes
                them, and then the futures end with `Abandoned`. A cancelled future is not worked on either.
            owner: who sends them, such as the id of a token. Owners are served in turn, and in a full queue the
                newest request of who has most may give way to them: all its futures end with `Overloaded`.

        Raises:
            Overloaded, NotReady: nothing was admitted.
        """
        if not self._is_open:
            raise NotReady("The model is loading, or the server is stopping; send the request again in a moment.")
        jobs = [Job(task, self._loop.create_future(), has_left, owner, is_heavy(task.data)) for task in tasks]
        refused = {job: error for job in jobs if (error := self._suspects.find_refusal(job.task.data))}
        for job in self._queue.put([job for job in jobs if job not in refused] if refused else jobs):
            job.give_way()
        for job, error in refused.items():
            job.future.set_exception(error)
        self._deadlines.add(jobs)
        self._dispatch_soon()
        if self._sweeper is None:
            self._sweep_later()
        return [job.future for job in jobs]

    async def close(self) -> None:
        """Finish what was admitted, as far as somebody waits for it, then end the workers."""
        self._is_open = False
        self._queue.close()
        if waited_for := self._deadlines.waited_for:
            await asyncio.wait(waited_for, timeout=self._timeout_s)
        if self._sweeper is not None:
            self._sweeper.cancel()
        await self._pool.close()

    def kill(self) -> None:
        """End the workers at once, from any thread. May be called twice."""
        self._pool.kill()

    def on_ready(self, worker: Worker) -> None:
        """Give a worker that has nothing to do its share of what waits."""
        self._free.append(worker)
        self._dispatch()

    def on_answer(self, worker: Worker, outcomes: Sequence[Outcome]) -> None:
        """Pass answers on to their callers. The worker gets its next batch first, so that it need not wait for that."""
        batch = self._busy.pop(worker, None)
        if batch is None:
            return  # it was given up a moment before it answered
        busy_s = time.monotonic() - batch.given_at
        if len(outcomes) != len(batch.jobs):
            outcomes = [ModelError(_MISCOUNTED)] * len(batch.jobs)
        if not worker.is_retiring:
            self.on_ready(worker)
        self._picture_s += 0.2 * (busy_s / len(batch.jobs) - self._picture_s)
        if self._observer is not None:
            self._observer.count_batch(len(batch.jobs), busy_s)
        for job, outcome in zip(batch.jobs, outcomes, strict=True):
            job.resolve(outcome, batch.given_at)

    def on_lost(self, worker: Worker) -> None:
        """Give a worker that is gone nothing more, and keep what it held until it is known why it ended."""
        if worker in self._free:
            self._free.remove(worker)
        if (batch := self._busy.pop(worker, None)) is not None:
            self._suspects.hold(worker, batch.jobs)

    def on_cause(self, worker: Worker, guilt: Guilt, *, hung: bool) -> None:
        """Try what a lost worker held once more, one by one, but for what ends workers."""
        self._queue.put_back(self._suspects.judge(worker, guilt, hung=hung))
        self._dispatch_soon()

    def retire(self, worker: Worker) -> bool:
        """Give this worker no further batch; True if it has none now, so that it can be ended at once."""
        if worker not in self._free:
            return False
        self._free.remove(worker)
        return True

    def on_restart(self, reason: RestartReason) -> None:
        """Count that a worker is replaced."""
        if self._observer is not None:
            self._observer.count_restart(reason)

    def _dispatch_soon(self) -> None:
        """Once for all that comes in this turn of the loop: what arrives together is one batch."""
        if not self._dispatching:
            self._dispatching = True
            self._loop.call_soon(self._dispatch)

    def _dispatch(self) -> None:
        """Give each free worker its share of what waits."""
        self._dispatching = False
        while self._free and len(self._queue):
            waiting = len(self._queue)
            heavy = not self._busy or has_worker_for_heavy(self._busy.values(), self.live_workers)
            jobs = self._queue.take(len(self._free), self._batch_limit(), self._picture_s or math.inf, heavy=heavy)
            if not jobs and len(self._queue) == waiting:
                break  # heavy pictures, which wait for one of their own kind to be done
            if not jobs:
                continue  # nobody wanted those; look at the next
            worker = self._free.pop()  # the one that was busy last has the warmest caches
            self._busy[worker] = start_batch(jobs, self._timeout_s)
            worker.give([job.task for job in jobs])

    def _batch_limit(self) -> int | None:
        """How many pictures are surely done in a share of the timeout; None while nobody knows."""
        return max(1, int(self._planned_s / self._picture_s)) if self._picture_s else None

    def _sweep(self) -> None:
        """End what took too long: answers that somebody waits for, and workers."""
        is_awaited = self._deadlines.expire(works=self.live_workers > 0)
        now = time.monotonic()
        stood_s = now - self._swept_at - _SWEEP_INTERVAL_S
        for worker, batch in list(self._busy.items()):
            if stood_s > _MAX_STOOD_S:  # this process was stopped, or all of the machine: no worker is late for that
                self._busy[worker] = batch._replace(limit_s=batch.limit_s + stood_s)
            elif now - batch.given_at >= batch.limit_s:
                worker.end_hung()
        self._sweeper = None
        if is_awaited or self._busy:
            self._sweep_later()

    def _sweep_later(self) -> None:
        self._swept_at = time.monotonic()
        self._sweeper = self._loop.call_later(_SWEEP_INTERVAL_S, self._sweep)
