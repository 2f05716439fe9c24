"""No caller waits longer than `predict_timeout`: one queue of futures in the order of their deadlines."""

import asyncio
import time
import weakref
from collections import deque

from cvserve.engine.job import Job
from cvserve.errors import NotReady, PredictTimeout
from cvserve.predictor.prediction import Prediction

_NO_WORKER = "No worker process is ready to look at pictures; send the request again in a moment."


class Deadlines:
    """Ends futures that took too long.

    Args:
        timeout_s: from admission to answer.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        # Not the jobs, and futures weakly: else pictures would stay in memory as long as the oldest is not answered,
        # those that failed by the traceback of their error. Until a future has ended, its job holds it.
        self._in_flight: deque[tuple[float, weakref.ref[asyncio.Future[Prediction]]]] = deque()

    def add(self, jobs: list[Job]) -> None:
        """Watch jobs that were admitted just now."""
        self._in_flight.extend([(job.submitted_at, weakref.ref(job.future)) for job in jobs])

    def expire(self, *, works: bool) -> bool:
        """End the futures that are late; return whether any other is still waited for.

        Args:
            works: whether any worker lives; if not, it was not the model that took too long.
        """
        now = time.monotonic()
        while self._in_flight:  # in the order of their deadlines
            submitted_at, reference = self._in_flight[0]
            future = reference()
            if future is not None and not future.done():
                if now - submitted_at < self._timeout_s:
                    return True
                future.set_exception(self.make_timeout_error() if works else NotReady(_NO_WORKER))
            self._in_flight.popleft()
        return False

    @property
    def waited_for(self) -> list["asyncio.Future[Prediction]"]:
        """Futures that have not ended, for who must wait for all of them."""
        futures = [reference() for _, reference in self._in_flight]
        return [future for future in futures if future is not None and not future.done()]

    def make_timeout_error(self) -> PredictTimeout:
        """Make the error of a picture that took too long."""
        return PredictTimeout(f"The model took longer than {self._timeout_s:g} s.")
