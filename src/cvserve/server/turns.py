"""Whose turn it is: a few places, shared fairly among the owners of what waits for one."""

import asyncio
from collections import deque
from collections.abc import Hashable

from cvserve.errors import Overloaded


class Turns:
    """Gives out places to work in; to be used from one event loop.

    Owners take turns, so that one with a hundred things to do delays another one by one thing.

    Args:
        places: how many may work at once.
        places_of_one: how many of these one owner may have.
        max_waiting: of one owner; further ones are refused at once.
    """

    def __init__(self, places: int, places_of_one: int, max_waiting: int) -> None:
        self._free = places
        self._places_of_one = places_of_one
        self._max_waiting = max_waiting
        self._at_work: dict[Hashable, int] = {}
        self._waiting: dict[Hashable, deque[asyncio.Future[None]]] = {}  # in the order in which owners are served

    def ask(self, owner: Hashable, *, is_bounded: bool = True) -> "asyncio.Future[None]":
        """Ask for a place.

        Args:
            owner: whose work it is.
            is_bounded: whether `max_waiting` counts; not for what has been begun and must go on.

        Returns:
            Done when the place is there, which `leave` gives back. Cancelled, it gives up its turn.

        Raises:
            Overloaded: too many of this owner wait already.
        """
        line = self._waiting.setdefault(owner, deque())
        if is_bounded and len(line) >= self._max_waiting:
            raise Overloaded(
                "Too many requests of this token for the history wait already; try again in a moment.", "history_turn"
            )
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.append(turn)
        self._give()
        return turn

    def leave(self, owner: Hashable) -> None:
        """Give a place back."""
        self._free += 1
        left = self._at_work.pop(owner) - 1
        if left:
            self._at_work[owner] = left
        self._give()

    def _give(self) -> None:
        while self._free and (found := self._find_next()) is not None:
            owner, line = found
            del self._waiting[owner]
            line.popleft().set_result(None)
            if line:
                self._waiting[owner] = line  # behind all others
            self._free -= 1
            self._at_work[owner] = self._at_work.get(owner, 0) + 1

    def _find_next(self) -> "tuple[Hashable, deque[asyncio.Future[None]]] | None":
        """The first owner with something that waits and not all its places taken, and what waits."""
        for owner, line in list(self._waiting.items()):
            while line and line[0].done():  # cancelled meanwhile
                line.popleft()
            if not line:
                del self._waiting[owner]
            elif self._at_work.get(owner, 0) < self._places_of_one:
                return owner, line
        return None
