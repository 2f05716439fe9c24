"""Why workers were lost: found out from how each ended, and told once for each of them.

That the connection of a worker has ended is known at once; how the process ended, the fork server tells a moment later,
or never, when it is gone itself. Only the two together say whether a picture can have done it.
"""

import asyncio
import math
import signal
import time
from collections import deque
from collections.abc import Callable, Collection

from loguru import logger

from cvserve.engine.connection import ProcessWorker
from cvserve.engine.fork_server import describe_exit
from cvserve.engine.guilt import Guilt
from cvserve.engine.kernel import count_oom_kills
from cvserve.engine.protocols import RestartReason

# What a fault in a decoder or a model raises in its own process.
_FAULTS = frozenset(
    -number
    for number in (
        signal.SIGSEGV,
        signal.SIGABRT,
        signal.SIGBUS,
        signal.SIGFPE,
        signal.SIGILL,
        signal.SIGSYS,
        signal.SIGTRAP,
        signal.SIGXCPU,
        signal.SIGXFSZ,
    )
)
# Workers that are killed within such a time are taken for killed by one hand, and a single one is judged only after it.
# What a worker held is tried again later than that, so that a second try is never taken for a neighbour.
_AT_ONCE_S = 0.1
# A process that has lost its connection and still runs after so long (its model has closed our files) is ended.
_MAX_LINGER_S = 1.0


class Losses:
    """Workers whose connection has ended, until it is known why.

    Args:
        tell: is called once for each, with what the end says about the pictures that the worker held.
    """

    def __init__(self, tell: Callable[[ProcessWorker, Guilt], None]) -> None:
        self._tell = tell
        self._unexplained: dict[ProcessWorker, float] = {}
        self._killed_at: deque[float] = deque(maxlen=64)
        self._oom_kills = count_oom_kills()
        self._oom_at = -math.inf

    def add(self, worker: ProcessWorker) -> None:
        """Note that a worker's connection has ended."""
        self._unexplained[worker] = time.monotonic()
        self._explain(worker)

    def note_exit(self, worker: ProcessWorker, code: int) -> RestartReason:
        """Note how a worker's process ended: say it in the log, and return the word for the metrics.

        Args:
            worker: has ended.
            code: its exit code; negative for a signal.
        """
        worker.exit_code = code
        cause = "was too large" if worker.is_retiring else describe_exit(code)
        logger.warning("engine: worker {} {}; another one takes its place", worker.pid, cause)
        self._explain(worker)
        if worker.is_retiring:
            return "memory"
        return "hung" if worker.hung else "signal" if code < 0 else "exit"

    def disown(self, workers: Collection[ProcessWorker]) -> None:
        """Note that the fork server is gone: its workers end with it, and nobody tells how."""
        for worker in (*workers, *self._unexplained):
            worker.is_orphan = True
        for worker in list(self._unexplained):
            self._explain(worker)

    def end_lingering(self) -> None:
        """End processes that have lost their connection and run on; to be called once a second."""
        now = time.monotonic()
        for worker, lost_at in self._unexplained.items():
            if worker.exit_code is None and now - lost_at > _MAX_LINGER_S:
                worker.kill()

    def _explain(self, worker: ProcessWorker) -> None:
        """Judge a worker of which all is known."""
        if worker not in self._unexplained:
            return  # its connection is about to end
        if worker.is_orphan:
            self._end(worker, Guilt.NONE)
        elif worker.exit_code is None:
            return
        elif worker.hung:
            self._end(worker, Guilt.NONE if worker.was_held else Guilt.PROVEN)
        elif worker.exit_code >= 0 or worker.exit_code in _FAULTS or worker.is_broken:
            self._end(worker, Guilt.PROVEN)
        else:
            now = time.monotonic()
            self._killed_at.append(now)
            asyncio.get_running_loop().call_later(_AT_ONCE_S, self._judge_kill, worker, now)

    def _judge_kill(self, worker: ProcessWorker, killed_at: float) -> None:
        """Judge a worker that somebody has killed: the kernel for its memory, or who knows who."""
        if worker not in self._unexplained:
            return
        if (oom_kills := count_oom_kills()) > self._oom_kills:
            self._oom_kills, self._oom_at = oom_kills, time.monotonic()
        if killed_at - self._oom_at < _AT_ONCE_S:
            self._end(worker, Guilt.PROVEN)
        else:
            at_once = sum(abs(killed_at - other) < _AT_ONCE_S for other in self._killed_at)
            self._end(worker, Guilt.NONE if at_once > 1 else Guilt.POSSIBLE)

    def _end(self, worker: ProcessWorker, guilt: Guilt) -> None:
        del self._unexplained[worker]
        self._tell(worker, guilt)
