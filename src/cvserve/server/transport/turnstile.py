"""Lets requests begin: so many in a turn of the event loop, and so many refusals in a moment, when many clients ask.

A turn of the loop takes as long as all that has come in it, and what was accepted goes on once a turn: answers of
workers, commits, health checks, new connections. With thousands of busy connections a turn would take seconds, nearly
all of it spent on requests that are refused. So requests wait here, and refusals are said no quicker than leaves time
for the work.
"""

import asyncio
from collections import deque
from collections.abc import Callable

# Fewer connections cannot make a turn long: their requests begin at once, and nothing is counted.
MANY_CONNECTIONS = 128
_BEGIN_A_TURN = 32
# After a turn in which so many were refused, nothing begins for so many times as long as it took: refusing then takes
# a quarter of the time, however quick the machine is.
_MANY_REFUSALS = 16
_REST_TURNS, _LONGEST_REST_S = 3.0, 0.25
# Said without work: no or a bad token, too many requests of one, a full queue.
REFUSALS = frozenset((401, 429, 503))

Begin = Callable[[], object]


class Turnstile:
    """One for all connections of a server; lives on its event loop.

    Args:
        a_turn: requests that begin in one turn of the loop.
        many_refusals: so many are followed by a rest, in which nothing begins.
    """

    def __init__(self, *, a_turn: int = _BEGIN_A_TURN, many_refusals: int = _MANY_REFUSALS) -> None:
        self._a_turn = a_turn
        self._many_refusals = many_refusals
        self._first: deque[Begin] = deque()
        self._others: deque[Begin] = deque()
        self._begun = self._refused = 0
        self._turn_began_at = 0.0
        self._goes_on_soon = False

    def pass_through(self, begin: Begin, *, goes_first: bool) -> None:
        """Begin a request now, or when it is its turn.

        Args:
            begin: begins it; must not raise.
            goes_first: before those that do not: the first request of a connection, which was not refused before.
        """
        if self._begun < self._a_turn and not self._first and not self._others:
            self._begun += 1
            begin()
        else:
            (self._first if goes_first else self._others).append(begin)
        if not self._goes_on_soon:
            self._goes_on_soon = True
            loop = asyncio.get_running_loop()
            self._turn_began_at = loop.time()
            loop.call_soon(self._go_on)

    def note_refusal(self) -> None:
        """Count an answer that was a refusal."""
        self._refused += 1

    def _go_on(self) -> None:
        """Begin what waits, or rest first."""
        loop = asyncio.get_running_loop()
        if self._refused >= self._many_refusals:
            turn_s = loop.time() - self._turn_began_at
            self._begun = self._a_turn  # nothing more until the rest is over
            loop.call_later(min(_LONGEST_REST_S, _REST_TURNS * turn_s), self._begin_some)
        else:
            self._begin_some()

    def _begin_some(self) -> None:
        """Begin as much as a turn may take."""
        loop = asyncio.get_running_loop()
        self._turn_began_at = loop.time()
        self._begun = self._refused = 0
        while self._begun < self._a_turn and (self._first or self._others):
            self._begun += 1
            (self._first or self._others).popleft()()
        self._goes_on_soon = bool(self._begun)
        if self._goes_on_soon:
            loop.call_soon(self._go_on)
