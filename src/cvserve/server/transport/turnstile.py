"""Lets requests begin when many clients ask: so many in a turn of the event loop, and refusals for so much of the time.

A turn of the event loop is one round of it: look which sockets have something, then do all of that, one after the
other. Everything else has to wait for the next turn, also the work that was accepted before: answers of workers,
commits, health checks, new connections. With thousands of busy connections a turn would take seconds, nearly all of
it spent on requests that are refused.

So requests whose heads have been read stand in line here. In each turn a few of them begin. Some of those are refused
as they begin, and the time for that is measured: when refusals have taken 1 ms, no connection that was refused before
is looked at for the next 63 ms. Reading what is refused takes twice as long as refusing it, so that leaves nine tenths
of the time to the work.
"""

import asyncio
import enum
import time
from collections import deque
from collections.abc import Callable

from loguru import logger

# Fewer connections cannot make a turn long: their requests begin at once, and nothing is counted. To begin a request
# takes a tenth of a millisecond or two, so that is a turn of some 20 ms.
MANY_CONNECTIONS = 128
# Some 5 ms of a turn: what waits for the next turn hardly notices.
_BEGIN_A_TURN = 32
# Behind refusals comes a rest, so many times as long as they took. With 3,000 clients that ask again at once
# (benchmarks/promises/overload.py), 7 left 63 % of the capacity to the work, 31 84 % and 63 92 %; what it costs is that
# those who were refused before, and they alone, hear the next refusal seconds later.
_RESTS = 63.0
# A rest that would be shorter is left for later, together with what follows: the loop's timers are no finer than a
# millisecond. One that would be longer is cut: behind one slow turn nobody should wait for seconds.
_SHORTEST_REST_S, _LONGEST_REST_S = 0.004, 0.25

# Begins a request, and tells whether it was refused in doing so.
Begin = Callable[[], bool]


class Standing(enum.Enum):
    """What is known of a connection from the request before."""

    NEW = "there was none"
    ADMITTED = "it went on to the app"
    REFUSED = "it was refused: no token, too many requests, no room"


class Turnstile:
    """One for all connections of a server; lives on its event loop.

    New connections and those whose last request was admitted begin by turns, so that neither can keep the other back.
    Those that were refused wait behind both: who asks again at once cannot keep back who asks now and then.

    Args:
        a_turn: requests that begin in one turn of the loop.
        rests: length of a rest, in multiples of the time that the refusals before it took.
        clock: gives seconds that never go back.
    """

    def __init__(
        self, *, a_turn: int = _BEGIN_A_TURN, rests: float = _RESTS, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._a_turn = a_turn
        self._rests = rests
        self._clock = clock
        self._lines: dict[Standing, deque[Begin]] = {standing: deque() for standing in Standing}
        self._next, self._other = self._lines[Standing.ADMITTED], self._lines[Standing.NEW]
        self._refused = self._lines[Standing.REFUSED]
        self._begun = 0
        self._refusing_s = 0.0
        self._is_resting = self._goes_on_soon = False

    def pass_through(self, begin: Begin, standing: Standing, *, is_urgent: bool = False) -> None:
        """Begin a request now, or when it is its turn.

        Args:
            begin: begins it.
            standing: of its connection.
            is_urgent: whether it waits for nobody, unless the one before it was refused.
        """
        line, was_refused = self._lines[standing], standing is Standing.REFUSED
        is_free = self._begun < self._a_turn and not line and not (was_refused and self._is_resting)
        if is_free or (is_urgent and not was_refused):
            self._begin(begin)
        else:
            line.append(begin)
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
        while self._begun < self._a_turn and (line := self._find_line()):
            self._begin(line.popleft())
        self._goes_on_soon = self._begun > 0
        if self._goes_on_soon:
            loop.call_soon(self._go_on)

    def _find_line(self) -> "deque[Begin] | None":
        """Find whose turn it is."""
        self._next, self._other = self._other, self._next
        return self._next or self._other or (None if self._is_resting else self._refused)

    def _end_rest(self) -> None:
        self._is_resting = False
        if not self._goes_on_soon:
            self._go_on()
