"""The clock of a connection: what it is doing, and until when. There is no state without a deadline.

A deadline of a transfer moves on with the bytes that are moved, as Apache's `mod_reqtimeout` does it: each byte buys
the time that it may take at the minimum rate. A body that must come at 8,192 bytes a second has 10 s at first, and each
8,192 bytes buy a second more. So a client at half of that rate is ended after 20 s, and one at the full rate never is.
Time that is bought does not pile up: also who was quick may not stop for more than 10 s.
"""

import enum
import math
from typing import NamedTuple

from cvserve.server.transport.limits import ConnectionLimits

# With this rate, one byte buys the longest pause that can be bought.
_ANY_BYTE = 1e-9


class State(enum.Enum):
    """What a connection is doing."""

    HEAD = "a request's head is on its way, or its first one is awaited"
    IDLE = "the next request is awaited"
    BODY = "a body is on its way, and the app wants it"
    WORKING = "the app has what it wants of the request, and works"
    ANSWER = "an answer waits to be taken by the client"
    LEFTOVER = "the answer is sent, and the rest of a body is read and dropped"
    CLOSING = "all is said, and the connection is about to end"


class Allowance(NamedTuple):
    """How long a connection may be in a state before it is ended.

    `Allowance(10)`: ten seconds, whatever is moved. `Allowance(10, 8192, 10)`: ten seconds, and a second more for each
    8,192 bytes, but never more than ten seconds from now on.

    Attributes:
        first_s: seconds to begin with, also where no byte is moved.
        rate: bytes a second: so many buy one second more. Infinite: bytes buy nothing.
        pause_s: seconds from now at which the deadline can be, at most, by what was bought: the longest stop that a
            client can save up for. What is left of `first_s` is not taken away by that.
        most_s: seconds for the state in all, whatever was bought.
    """

    first_s: float
    rate: float = math.inf
    pause_s: float = 0.0
    most_s: float = math.inf


def make_allowances(limits: ConnectionLimits) -> dict[State, Allowance]:
    """The table of all states: what each may take.

    Args:
        limits: times and rates of the server's connections.
    """
    grace_s = limits.grace_s
    return {
        State.HEAD: Allowance(limits.head_s),
        State.IDLE: Allowance(limits.idle_s),
        State.BODY: Allowance(grace_s, limits.body_rate, grace_s),
        # A long answer that is read as quickly as it is made never waits: each piece of it is a sign of life.
        State.WORKING: Allowance(limits.work_s, _ANY_BYTE, limits.work_s),
        State.ANSWER: Allowance(grace_s, limits.read_rate, grace_s),
        State.LEFTOVER: Allowance(limits.leftover_s, limits.body_rate, limits.leftover_s, limits.leftover_most_s),
        State.CLOSING: Allowance(limits.leftover_s),
    }


class Clock:
    """The deadline of one connection, brought up to date whenever the sweep comes by.

    Args:
        allowances: from `make_allowances`.

    Attributes:
        stands_still: nothing was moved since the sweep came by before, in the same state.
    """

    __slots__ = ("_allowances", "_deadline", "_end", "_key", "_moved_bytes", "stands_still")

    def __init__(self, allowances: dict[State, Allowance]) -> None:
        self._allowances = allowances
        self._key: tuple[State, int] | None = None
        self._deadline = self._end = 0.0
        self._moved_bytes = 0
        self.stands_still = False

    def is_over(self, now_s: float, state: State, turn: int, moved_bytes: int) -> bool:
        """Note what a connection is doing, and tell whether it has done that for too long.

        Args:
            now_s: any clock that only rises.
            state: what it is doing.
            turn: another number says that this is another request, and its time begins anew.
            moved_bytes: bytes moved in this state, counted from any beginning.
        """
        allowance = self._allowances[state]
        self.stands_still = (state, turn) == self._key and moved_bytes == self._moved_bytes
        if (state, turn) != self._key:
            self._key = state, turn
            self._end = now_s + allowance.most_s
            self._deadline = now_s + allowance.first_s
        elif moved_bytes > self._moved_bytes:
            bought_s = (moved_bytes - self._moved_bytes) / allowance.rate
            later = max(self._deadline, min(self._deadline + bought_s, now_s + allowance.pause_s))
            self._deadline = min(later, self._end)
        self._moved_bytes = moved_bytes
        return now_s >= self._deadline
