"""One look at the clocks of all connections, twice a second: no request pays for a timer of its own."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from loguru import logger


class Timed(Protocol):
    """A connection with a clock."""

    def check_clock(self, now_s: float) -> None:
        """End it if its time is over."""


class Sweep:
    """Visits all open connections again and again, as long as there are some.

    Its clock stands still while the event loop does: nobody is blamed for what the server did not read.

    Args:
        interval_s: between two visits.
        tidy: called after each; true as long as it wants to be called again, also without connections.
    """

    def __init__(self, interval_s: float, tidy: Callable[[], bool] = bool) -> None:
        self._interval_s = interval_s
        self._tidy = tidy
        self._connections: set[Timed] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._seen_s = 0.0
        self._now_s = 0.0

    def join(self, connection: Timed, loop: asyncio.AbstractEventLoop) -> None:
        """Visit this one, too, from now on."""
        self._connections.add(connection)
        if self._timer is None:
            self._seen_s = loop.time()
            self._timer = loop.call_later(self._interval_s, self._visit_all, loop)

    def leave(self, connection: Timed) -> None:
        """Visit it no longer."""
        self._connections.discard(connection)

    def _visit_all(self, loop: asyncio.AbstractEventLoop) -> None:
        now_s = loop.time()
        self._now_s += min(now_s - self._seen_s, 2 * self._interval_s)
        self._seen_s, self._timer = now_s, None
        for connection in tuple(self._connections):
            try:
                connection.check_clock(self._now_s)
            except Exception:  # a fault of ours: the others are looked after all the same
                logger.exception("a connection's clock failed")
                self._connections.discard(connection)
        if self._tidy() or self._connections:
            self._timer = loop.call_later(self._interval_s, self._visit_all, loop)
