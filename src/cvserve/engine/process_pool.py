"""Workers in processes of their own: made by the fork server, watched, and replaced when they end, hang or grow."""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Coroutine, Sequence
from typing import Any

from loguru import logger

from cvserve.devices import computes_beside
from cvserve.engine.connection import ProcessWorker
from cvserve.engine.fork_server import ForkServer, ModelOrder
from cvserve.engine.guilt import Guilt
from cvserve.engine.kernel import resident_bytes
from cvserve.engine.losses import Losses
from cvserve.engine.protocols import Supervisor
from cvserve.engine.start import Start
from cvserve.engine.task import Outcome
from cvserve.errors import CvserveError

_WATCH_INTERVAL_S = 1.0
_MAX_UNANSWERED_PINGS = 5
_CLOSE_TIMEOUT_S = 2.0
# A worker that ends before it was warm, and a fork server that cannot load, are made again after a pause that
# doubles: no crash loop.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 10.0


class ProcessPool:
    """Keeps so many worker processes alive. A `WorkerPool`, and the `ProcessSupervisor` of its workers.

    The model begins to load when the pool is made. The thread that makes it must outlive it (see `ForkServer`).

    Args:
        order: the model that they run.
        workers: how many.
        memory_bytes: a worker whose resident memory is above this is replaced between two batches; None: never.
        on_device: how many instead when the model computes on a device; 0: as many.
    """

    def __init__(self, order: ModelOrder, workers: int, memory_bytes: int | None = None, on_device: int = 0) -> None:
        self.wanted, self._on_device = workers, on_device
        self._order, self._memory_bytes = order, memory_bytes
        self._fork_server = ForkServer(order)
        self._workers: set[ProcessWorker] = set()
        self._requested: deque[ProcessWorker] = deque()
        self._by_pid: dict[int, ProcessWorker] = {}
        self._too_large: deque[ProcessWorker] = deque()
        self._losses, self._pause_s = Losses(self._tell_cause), 0.0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._is_closing, self._is_loaded, self._end_lock = False, False, threading.Lock()

    def wait_loaded(self) -> None:
        """Block until the model is loaded and warm.

        Raises:
            CvserveError: why it cannot be; then everything has ended.
        """
        try:
            self._fork_server.wait_loaded()
        except BaseException:
            self.kill()
            raise
        self.info, self.guessed = self._fork_server.info, self._fork_server.guessed
        if computes_beside(self.info.device):
            self.wanted = self._on_device or self.wanted
        self._is_loaded = True

    async def start(self, supervisor: Supervisor) -> None:
        """Make the workers; returns when all of them are ready. To be called after `wait_loaded`.

        Args:
            supervisor: is told of every worker from now on.

        Raises:
            ModelLoadError: workers end again and again before they are ready; then everything has ended.
        """
        self._supervisor = supervisor
        self._loop = asyncio.get_running_loop()
        self._start = Start()
        self._loop.add_reader(self._fork_server.control, self._read_fork_server)
        self._make_missing()
        try:
            await self._start.wait()
        except CvserveError:
            await self.close()
            raise
        self._loop.call_later(_WATCH_INTERVAL_S, self._watch)

    async def close(self) -> None:
        """End the workers and wait for that; one that does not end by itself is killed."""
        self._is_closing = True
        for worker in list(self._workers):
            worker.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await asyncio.gather(*(worker.gone for worker in self._workers))
        self._loop.remove_reader(self._fork_server.control)
        self.kill()

    def kill(self) -> None:
        """End workers and fork server at once, from any thread. May be called twice."""
        self._is_closing = True
        with self._end_lock:
            for worker in list(self._workers):
                worker.kill()
            self._fork_server.end()

    def on_ready(self, worker: ProcessWorker) -> None:
        """Pass a new worker on to the supervisor; now one that is too large may go."""
        self._pause_s = 0.0
        self._supervisor.on_ready(worker)
        self._start.note_ready(sum(other.is_warm for other in self._workers), self.wanted)
        if self._too_large:
            self._retire(self._too_large.popleft())

    def on_answer(self, worker: ProcessWorker, outcomes: Sequence[Outcome]) -> None:
        """Pass the answers on to the supervisor, and end a worker that is to go."""
        self._supervisor.on_answer(worker, outcomes)
        if worker.is_retiring:
            worker.close()

    def on_end(self, worker: ProcessWorker) -> None:
        """Replace a worker whose connection has ended, unless it was to end."""
        self._workers.discard(worker)
        if worker in self._too_large:
            self._too_large.remove(worker)
        if self._is_closing:
            return
        self._supervisor.on_lost(worker)
        self._losses.add(worker)
        if worker.is_retiring:
            return  # there is another one already
        if not worker.is_warm:
            self._pause_s = min(_LONGEST_PAUSE_S, 2 * self._pause_s or _FIRST_PAUSE_S)
        self._make_missing()

    def _tell_cause(self, worker: ProcessWorker, guilt: Guilt) -> None:
        self._supervisor.on_cause(worker, guilt, hung=worker.hung)
        if not worker.is_warm and worker.exit_code is not None:
            self._start.note_stillborn(worker.exit_code)

    def _make_missing(self) -> None:
        if self._pause_s:
            self._loop.call_later(self._pause_s, self._make_now)
        else:
            self._make_now()

    def _make_now(self) -> None:
        """Ask for what is missing, of a fork server that has loaded; one that is too large stays until then."""
        staying = sum(not worker.is_retiring for worker in self._workers) - len(self._too_large)
        for _ in range(self.wanted - staying if self._is_loaded and not self._is_closing else 0):
            self._make_worker()

    def _make_worker(self) -> None:
        try:
            connection = self._fork_server.make_worker()
        except OSError:
            return  # the fork server is gone: that is noticed beside this, and the next one makes what is missing
        worker = ProcessWorker(self, self.info)
        self._workers.add(worker)
        self._requested.append(worker)
        self._run_task(self._loop.create_unix_connection(lambda: worker, sock=connection))

    def _read_fork_server(self) -> None:
        messages = self._fork_server.read_messages()
        if messages is None:
            self._loop.remove_reader(self._fork_server.control)
            self._is_loaded = False
            if not self._is_closing:
                logger.error("engine: the process that makes workers is gone; the model is loaded again")
                self._supervisor.on_restart("nursery")
                self._run_task(self._replace_fork_server())
            return
        for message in messages:
            if "made" in message:  # in the order in which they were asked for
                worker = self._requested.popleft()
                worker.pid = message["made"]
                self._by_pid[message["made"]] = worker
            elif "ended" in message and not self._is_closing:
                worker = self._by_pid.pop(message["ended"])
                self._supervisor.on_restart(self._losses.note_exit(worker, message["code"]))

    async def _replace_fork_server(self) -> None:
        """Load the model again, until that succeeds; the workers of the old fork server end with it."""
        pause_s = _FIRST_PAUSE_S
        self._fork_server.end()
        self._requested.clear()
        self._by_pid.clear()
        self._losses.disown(self._workers)
        self._start.note_stillborn(self._fork_server.process.returncode)
        while not self._is_closing:
            fork_server = ForkServer(self._order)
            with self._end_lock:
                self._fork_server = fork_server
            try:
                await self._loop.run_in_executor(None, fork_server.wait_loaded)
            except CvserveError as error:
                fork_server.end()
                self._start.fail(error)
                logger.error("engine: the model cannot be loaded again: {}", error)
                await asyncio.sleep(pause_s)
                pause_s = min(_LONGEST_PAUSE_S, 2 * pause_s)
                continue
            if not self._is_closing:
                self._loop.add_reader(fork_server.control, self._read_fork_server)
                self._is_loaded = True
                self._make_missing()
            return

    def _watch(self) -> None:
        """Once a second: whether idle workers and the fork server answer, and whether any has grown too large."""
        if self._is_closing:
            return
        self._losses.end_lingering()
        if self._is_loaded:
            self._watch_fork_server()
        for worker in list(self._workers):
            if worker.unanswered_pings >= _MAX_UNANSWERED_PINGS:
                worker.end_hung()
            else:
                worker.ping()
            if self._memory_bytes and worker.is_warm and not worker.is_retiring and worker not in self._too_large:
                size_bytes = resident_bytes(worker.pid)
                if size_bytes > self._memory_bytes:
                    megabytes = size_bytes // 1024**2
                    logger.warning("engine: worker {} has grown to {:,} MiB and is replaced", worker.pid, megabytes)
                    self._too_large.append(worker)
                    self._make_now()
        self._loop.call_later(_WATCH_INTERVAL_S, self._watch)

    def _watch_fork_server(self) -> None:
        """Ask the fork server whether it is there; one that is not is ended, and replaced as if it had ended."""
        if self._fork_server.unanswered_pings >= _MAX_UNANSWERED_PINGS:
            logger.error("engine: the process that makes workers does not answer and is ended")
            self._fork_server.process.kill()
        else:
            self._fork_server.ping()

    def _retire(self, worker: ProcessWorker) -> None:
        worker.is_retiring = True
        if self._supervisor.retire(worker):
            worker.close()

    def _run_task(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        task = self._loop.create_task(coroutine)
        self._tasks.add(task)  # the loop itself keeps no hold of it
        task.add_done_callback(self._tasks.discard)
