"""Lets requests begin when many clients ask: so many in a turn of the event loop, and refusals for so much of the time.

A turn of the loop takes as long as all that has come in it, and what was accepted goes on once a turn: answers of
workers, commits, health checks, new connections. With thousands of busy connections a turn would take seconds, nearly
all of it spent on requests that are refused. So requests wait here, and refusals are said no quicker than leaves time
for the work.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable

from loguru import logger

# Fewer connections cannot make a turn long: their requests begin at once, and nothing is counted.
MANY_CONNECTIONS = 128
_BEGIN_A_TURN = 32
# Behind refusals comes a rest, so many times as long as they took: they get an eighth of the time.
_RESTS = 7.0
# Shorter rests are gathered: the loop's timers are no finer than a millisecond.
_SHORTEST_REST_S, _LONGEST_REST_S = 0.004, 0.25

# Begins a request, and tells whether it was refused in doing so.
Begin = Callable[[], bool]


class Turnstile:
    """One for all connections of a server; lives on its event loop.

    Requests of connections that were refused before wait behind all others: who asks again at once cannot keep back
    who asks now and then.

    Args:
        a_turn: requests that begin in one turn of the loop.
        rests: length of a rest, in times of what the refusals before it took.
        clock: gives seconds that never go back.
    """

    def __init__(
        self, *, a_turn: int = _BEGIN_A_TURN, rests: float = _RESTS, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._a_turn = a_turn
        self._rests = rests
        self._clock = clock
        self._first: deque[Begin] = deque()
        self._again: deque[Begin] = deque()
        self._begun = 0
        self._refusing_s = 0.0
        self._is_resting = self._goes_on_soon = False

    def pass_through(self, begin: Begin, *, again: bool, is_urgent: bool = False) -> None:
        """Begin a request now, or when it is its turn.

        Args:
            begin: begins it.
            again: whether the request before it on the same connection was refused.
            is_urgent: whether it waits for nobody, unless the one before it was refused.
        """
        is_free = not self._first and not (again and (self._is_resting or self._again))
        if (is_free and self._begun < self._a_turn) or (is_urgent and not again):
            self._begin(begin)
        else:
            (self._again if again else self._first).append(begin)
        if not self._goes_on_soon:
            self._goes_on_soon = True
            asyncio.get_running_loop().call_soon(self._go_on)

    def _begin(self, begin: Begin) -> None:
        self._begun += 1
        before_s = self._clock()
        try:
            was_refused = begin()
        except Exception:  # a fault of ours: what waits behind it goes on, and its connection ends by its clock
            logger.exception("a request could not begin")
            was_refused = False
        if was_refused:
            self._refusing_s += self._clock() - before_s

    def _go_on(self) -> None:
        """Rest if it is time for it, then begin as much of what waits as a turn may take."""
        loop = asyncio.get_running_loop()
        rest_s = self._refusing_s * self._rests
        if rest_s >= _SHORTEST_REST_S and not self._is_resting:
            self._is_resting, self._refusing_s = True, 0.0
            loop.call_later(min(rest_s, _LONGEST_REST_S), self._end_rest)
        self._begun = 0
        while self._begun < self._a_turn and (self._first or (self._again and not self._is_resting)):
            self._begin((self._first or self._again).popleft())
        self._goes_on_soon = self._begun > 0
        if self._goes_on_soon:
            loop.call_soon(self._go_on)

    def _end_rest(self) -> None:
        self._is_resting = False
        if not self._goes_on_soon:
            self._go_on()
