"""Tells the server's own log when the history stops to work and when it works again: a line each, not one a request."""

import time

from loguru import logger

from cvserve.errors import HistoryError

_QUIET_S = 10.0


class Outage:
    """Notes each result of the writer and logs the changes; one that comes again within seconds is not told again.

    Attributes:
        failure: why the last attempt failed; None after one that worked.
    """

    def __init__(self) -> None:
        self.failure: HistoryError | None = None
        self._said_at: dict[str, float] = {}
        self._is_said = False
        self._refused = 0

    def begin(self, failure: HistoryError, refused: int, cause: object = None) -> None:
        """Note that something could not be stored.

        Args:
            failure: what the senders are told.
            refused: how many requests that were.
            cause: what only the log is told.
        """
        text = str(failure)
        is_new = self.failure is None or str(self.failure) != text
        self.failure = failure
        self._refused += refused
        now = time.monotonic()
        if is_new and now - self._said_at.get(text, -_QUIET_S) >= _QUIET_S:
            self._said_at[text] = now
            self._is_said = True
            logger.error("history: {}{}", text, f" ({cause})" if cause else "")

    def end(self) -> None:
        """Note that the history can be written."""
        if self.failure is None:
            return
        self.failure = None
        if self._is_said:
            logger.warning("history: it can be written again; {} requests were refused meanwhile", self._refused)
            self._is_said, self._refused = False, 0
