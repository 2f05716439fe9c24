"""Deadlines that move with the bytes: who is quick enough is never ended, who is too slow always is."""

import math

import pytest

from cvserve.server.transport.clock import Clock, State, make_allowances
from cvserve.server.transport.limits import ConnectionLimits

LIMITS = ConnectionLimits()
MOVING = (State.BODY, State.ANSWER)


def find_end(state: State, rate: float, *, seconds: int = 3_600, pause: tuple[int, int] = (0, 0)) -> float:
    """After how many seconds a connection is ended that moves so many bytes in each, but for a pause; or never."""
    clock, moved = Clock(make_allowances(LIMITS)), 0.0
    for tick in range(2 * seconds):
        now_s = tick / 2
        moved += 0 if pause[0] <= now_s < pause[1] else rate / 2
        if clock.is_over(now_s, state, 0, int(moved)):
            return now_s
    return math.inf


@pytest.mark.parametrize("state", State)
def test_no_state_lasts_without_bytes(state: State) -> None:
    allowance = make_allowances(LIMITS)[state]
    assert find_end(state, 0) == allowance.first_s < math.inf


@pytest.mark.parametrize("state", MOVING)
def test_telephone_never_meets_the_minimum(state: State) -> None:
    assert find_end(state, 100_000) == math.inf
    assert find_end(state, 100_000, pause=(60, 69)) == math.inf  # a tunnel
    assert find_end(state, 8_192) == math.inf


@pytest.mark.parametrize("state", MOVING)
def test_slow_transfer_is_ended_soon_after_the_grace(state: State) -> None:
    assert find_end(state, 1) <= 10.5
    assert find_end(state, 4_096) <= 20
    assert find_end(state, 8_000) <= 10 / (1 - 8_000 / 8_192) + 1


@pytest.mark.parametrize("state", MOVING)
def test_quick_beginning_buys_no_long_silence(state: State) -> None:
    """Else a client that took a megabyte at once might be silent for two minutes."""
    assert find_end(state, 100_000_000, pause=(5, 3_600)) <= 5 + LIMITS.grace_s + 0.5


def test_app_that_sends_something_now_and_then_is_never_ended() -> None:
    assert find_end(State.WORKING, 1_000) == math.inf
    assert find_end(State.WORKING, 1_000, pause=(60, 60 + int(LIMITS.work_s) - 1)) == math.inf
    assert find_end(State.WORKING, 1_000, pause=(60, 3_600)) <= 60 + LIMITS.work_s + 0.5


def test_body_that_nobody_wants_has_a_time_for_all_of_it() -> None:
    assert find_end(State.LEFTOVER, 100_000_000) == LIMITS.leftover_most_s


def test_next_request_begins_anew() -> None:
    clock = Clock(make_allowances(LIMITS))
    for turn in range(100):
        for tick in range(4):
            assert not clock.is_over(turn * 4 + tick, State.IDLE, turn, 0)


def test_bytes_of_an_earlier_state_buy_nothing() -> None:
    clock = Clock(make_allowances(LIMITS))
    assert not clock.is_over(0, State.WORKING, 0, 0)
    assert not clock.is_over(1, State.BODY, 0, 10**9)
    assert clock.is_over(11, State.BODY, 0, 10**9)
