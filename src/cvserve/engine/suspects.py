"""Pictures whose worker was lost: tried again, one by one, and refused once it is clear that they end workers."""

from collections.abc import Callable, Sequence

from loguru import logger

from cvserve.engine.guilt import Guilt
from cvserve.engine.job import Job
from cvserve.engine.protocols import Worker
from cvserve.engine.quarantine import Deed, Quarantine
from cvserve.errors import CvserveError, InvalidImage, PredictTimeout, WorkerDied

_MAX_STRIKES = 2
# Whoever ends them: a picture that has cost so many workers is given back to its sender, but not refused from then on.
_MAX_TRIES = 5
_REFUSED = {
    Deed.ENDED: "This picture has ended the process that read it, more than once; it is refused for some minutes.",
    Deed.HUNG: "This picture has kept the model busy for longer than a prediction may take; it is refused for some"
    " minutes.",
}
_DIED = "The process that worked on this picture ended, more than once; the server's own log has the reason."


class Suspects:
    """What lost workers held.

    A picture gets a strike when its worker ends by what a picture can do (a crash, an exit, a hang, all memory taken),
    or when it was alone in a worker that somebody killed. With the second strike it is refused, and with the first
    if it hung alone, since a second worker would only hang as long. What ended by something else is simply tried again.

    Args:
        make_timeout_error: makes the error of a picture that took too long.
    """

    def __init__(self, make_timeout_error: Callable[[], PredictTimeout]) -> None:
        self._make_timeout_error = make_timeout_error
        self._quarantine = Quarantine()
        self._held: dict[Worker, Sequence[Job]] = {}

    def find_refusal(self, data: bytes) -> CvserveError | None:
        """The error of a picture that is refused; None for all others."""
        deed = self._quarantine.find(data)
        return None if deed is None else InvalidImage(_REFUSED[deed])

    def hold(self, worker: Worker, jobs: Sequence[Job]) -> None:
        """Keep what a lost worker held, until it is known how that ended."""
        self._held[worker] = jobs

    def judge(self, worker: Worker, guilt: Guilt, *, hung: bool) -> list[Job]:
        """Decide what becomes of the pictures that a lost worker held.

        Args:
            worker: was lost.
            guilt: what its end says about them.
            hung: it was ended because it did not answer.

        Returns:
            Those to be tried again, each alone.
        """
        jobs = self._held.pop(worker, ())
        is_alone = len(jobs) == 1
        again = []
        for job in jobs:
            job.tries += 1
            job.strikes += guilt is Guilt.PROVEN or (guilt is Guilt.POSSIBLE and is_alone)
            if job.strikes >= _MAX_STRIKES or (hung and is_alone and guilt is Guilt.PROVEN):
                self._refuse(job, hung=hung)
            elif job.future.done():
                continue
            elif job.tries >= _MAX_TRIES:
                job.future.set_exception(WorkerDied(_DIED))
            else:
                again.append(job)
        return again

    def _refuse(self, job: Job, *, hung: bool) -> None:
        """Put a picture into quarantine, and answer who sent it."""
        self._quarantine.add(job.task.data, Deed.HUNG if hung else Deed.ENDED)
        deed = "kept its worker too long" if hung else "ended its worker more than once"
        logger.error("engine: a picture of {} bytes {}; it is refused for a while", job.size_bytes, deed)
        if not job.future.done():
            job.future.set_exception(self._make_timeout_error() if hung else WorkerDied(_DIED))
