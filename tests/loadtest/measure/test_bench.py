"""When a server counts as gone, by the ticks of generators; the reasons of real ones are in test_session.py."""

import time
from itertools import count
from typing import Any

import pytest

from cvserve.errors import CannotStart
from cvserve.loadtest.measure.bench import Bench
from cvserve.loadtest.measure.watch import Watch
from cvserve.loadtest.plan import Plan
from cvserve.loadtest.samples import Latencies, Tick

TICK_S = 0.2


class CannedGenerators:
    """Generators of which every tick is known beforehand: the first failures, then the same ones for ever."""

    pids = (1,)

    def __init__(self, first: dict[str, int], then: dict[str, int]) -> None:
        self._first, self._then = first, then
        self._numbers = count()
        self._begin = time.monotonic()

    def now(self) -> float:
        return time.monotonic()

    def set_users(self, number: int, spawn_rate: float) -> None:
        """They are there at once."""

    def next_tick(self) -> Tick:
        number = next(self._numbers)
        begin = self._begin + number * TICK_S
        failures = self._then if number else self._first
        return Tick(0, begin, begin + TICK_S, 1, Latencies(), failures, 0.1, 0.1, 0, 0, None)


def bench(first: str, then: str) -> Bench:
    generators: Any = CannedGenerators({f"POST: {first}": 1}, {f"POST: {then}": 1})
    return Bench(generators, Plan(settle_s=0.0), Watch(None), lambda _phase, _window: None, 5.0)


@pytest.mark.parametrize("first", ["no answer: ConnectionRefusedError", "200", "503 overloaded"])
def test_a_server_is_gone_however_its_last_answer_broke_off(first: str) -> None:
    with pytest.raises(CannotStart, match="The server is gone"):
        bench(first, "no answer: ConnectionRefusedError").apply_closed(1, 10.0)


def test_a_server_that_refuses_is_there() -> None:
    assert bench("no answer: ConnectionRefusedError", "503 overloaded").apply_closed(1, 6.0).whole.failed > 0
