"""The start of a pool: over when all its workers are ready, or when one after another ends before it is."""

import asyncio

from cvserve.engine.fork_server import describe_exit
from cvserve.errors import CvserveError, ModelLoadError

# So many in a row, and none was ready: the next one would end as they did.
_MAX_STILLBORN = 5


class Start:
    """Whether a pool has started, and why it cannot."""

    def __init__(self) -> None:
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._stillborn = 0

    async def wait(self) -> None:
        """Return when all workers are ready.

        Raises:
            CvserveError: they never will be.
        """
        await self._ended

    def note_ready(self, warm: int, wanted: int) -> None:
        """Note that a worker is ready, and how many of those that are wanted are."""
        self._stillborn = 0
        if warm >= wanted and not self._ended.done():
            self._ended.set_result(None)

    def note_stillborn(self, code: int) -> None:
        """Note that a worker, or the process that makes them, ended before it was ready.

        Args:
            code: exit code; negative for a signal.
        """
        self._stillborn += 1
        if self._stillborn >= _MAX_STILLBORN:
            self.fail(
                ModelLoadError(
                    f"The worker processes end before they are ready, {self._stillborn} in a row; the last one"
                    f" {describe_exit(code)}. Its own words, if any, are above."
                )
            )

    def fail(self, error: CvserveError) -> None:
        """End the start with an error; one that is over stays as it is."""
        if not self._ended.done():
            self._ended.set_exception(error)
