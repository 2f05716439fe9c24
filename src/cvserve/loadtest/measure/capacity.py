"""Finds how much a server holds: steps the load, sees where it stops paying, closes in, and holds there."""

from collections.abc import Callable
from dataclasses import dataclass

from cvserve.loadtest.measure.bench import Bench
from cvserve.loadtest.measure.step import Step
from cvserve.loadtest.plan import Plan

_GAIN = 0.05  # twice the load must bring so much more, or throughput has stopped growing
_KNEE = 0.95  # of the most there is
_NEAR_BEST = 0.98
_CLOSE = 0.04  # of a rate: closer is not looked for
_KNEE_TRIES = 3
_HOLD_TRIES = 4
_BACK = 0.95
_FEWEST_CONNECTIONS = 16
_CONNECTION_S = 0.5  # so many seconds of arrivals may be in flight before requests wait for a connection
_MOST_CONNECTIONS = 256
_GREATEST_RATE = 100_000.0


@dataclass
class SearchResult:
    """What a search found.

    Attributes:
        ended_by: why it went no further: `flat` (throughput stopped growing), `slo`, `failures`, `backlog` (open
            load: the server fell behind), `client`, or `end` (all users there may be).
        hold: the load at the capacity; None when not even the smallest one was held.
        half, most: open load at 50 % and 80 % of the capacity.
        knee_users: the fewest with which throughput reaches 95 % of the capacity; None in open load.
        is_client_bound: the load generator was at its limit where the search ended.
    """

    ended_by: str
    hold: Step | None = None
    half: Step | None = None
    most: Step | None = None
    knee_users: int | None = None
    is_client_bound: bool = False


def find_capacity(bench: Bench, plan: Plan) -> SearchResult:
    """Find the load that a server just holds, in closed or open load as the plan says.

    The load is doubled while that pays, then the search closes in, holds the capacity for `plan.run_time_s`, and
    measures open load of 50 % and 80 % of it.
    """
    found = _search_closed(bench, plan) if plan.rate is None else _search_open(bench, plan, plan.rate)
    if found.hold is None or not found.hold.rps:
        return found
    users = choose_connections(found.hold.rps, plan)
    found.half = bench.apply_open(0.5 * found.hold.rps, users, plan.share_s, "half")
    found.most = bench.apply_open(0.8 * found.hold.rps, users, plan.share_s, "most")
    return found


def _search_closed(bench: Bench, plan: Plan) -> SearchResult:
    measured: dict[int, Step] = {}

    def measure(users: int) -> Step:
        if users not in measured:
            measured[users] = bench.apply_closed(users, plan.step_s)
        return measured[users]

    def holds(users: int) -> bool:
        return measure(users).find_fault(plan) is None

    cut = _climb(measure, plan)
    last = measured[max(measured)]
    held = [users for users, step in measured.items() if step.find_fault(plan) is None]
    if not held:
        return SearchResult(cut, is_client_bound=last.is_client_bound)
    if cut in ("slo", "failures"):
        users = _find_largest(max(held), last.users, holds)
    else:
        best = max(measured[users].rps for users in held)
        users = min(users for users in held if measured[users].rps >= _NEAR_BEST * best)
    knee = _find_knee(measured, measure, users)
    hold = bench.apply_closed(users, plan.run_time_s, "hold")
    for _ in range(_HOLD_TRIES):
        if hold.find_fault(plan) is None or users == 1:
            break
        users = max(1, min(users - 1, int(users * _BACK)))
        hold = bench.apply_closed(users, plan.run_time_s, "hold")
    bound = hold.is_client_bound or (cut != "flat" and last.is_client_bound)
    return SearchResult(cut, hold if hold.find_fault(plan) is None else None, None, None, min(knee, users), bound)


def _climb(measure: Callable[[int], Step], plan: Plan) -> str:
    """Double the users until that brings no more, or a limit is broken; returns why it ended."""
    most = plan.users or plan.max_users
    users, best, flat = 1, 0.0, 0
    while True:
        step = measure(users)
        fault = step.find_fault(plan)
        if fault is not None:
            return fault
        flat = flat + 1 if step.rps < best * (1 + _GAIN) else 0
        best = max(best, step.rps)
        if flat == 2:
            return "client" if step.is_client_bound else "flat"
        if users >= most:
            return "client" if step.is_client_bound else "end"
        users = min(2 * users, most)


def _find_largest(good: int, bad: int, holds: Callable[[int], bool]) -> int:
    """The largest number of users that is held, between one that is and one that is not."""
    while bad - good > max(1, good // 20):
        middle = (good + bad) // 2
        good, bad = (middle, bad) if holds(middle) else (good, middle)
    return good


def _find_knee(measured: dict[int, Step], measure: Callable[[int], Step], users: int) -> int:
    """The fewest users that reach nearly what so many do."""
    wanted = _KNEE * measured[users].rps
    enough = min(count for count, step in measured.items() if step.rps >= wanted)
    few = max((count for count, step in measured.items() if count < enough), default=0)
    for _ in range(_KNEE_TRIES):
        if enough - few < 2:
            break
        middle = (few + enough) // 2
        few, enough = (few, middle) if measure(middle).rps >= wanted else (middle, enough)
    return enough


def _search_open(bench: Bench, plan: Plan, rate: float) -> SearchResult:
    def measure(rate: float) -> Step:
        return bench.apply_open(rate, choose_connections(rate, plan), plan.step_s)

    good: Step | None = None
    step = measure(rate)
    while (fault := step.find_fault(plan)) is None and rate < _GREATEST_RATE:  # up while it is held
        good, rate = step, 2 * rate
        step = measure(rate)
    bad = step
    while good is None and rate > 1:  # down while it is not
        rate /= 2
        step = measure(rate)
        cut = step.find_fault(plan)
        good, bad, fault = (step, bad, fault) if cut is None else (None, step, cut)
    if good is None or good.rate is None or bad.rate is None:
        return SearchResult(fault or "end", is_client_bound=bad.is_client_bound)
    low, high = good.rate, bad.rate
    while high - low > _CLOSE * low:
        middle = (low + high) / 2
        step = measure(middle)
        cut = step.find_fault(plan)
        low, high, bad, fault = (middle, high, bad, fault) if cut is None else (low, middle, step, cut)
    for _ in range(_HOLD_TRIES):
        hold = bench.apply_open(low, choose_connections(low, plan), plan.run_time_s, "hold")
        if hold.find_fault(plan) is None:
            return SearchResult(fault or "end", hold, is_client_bound=bad.is_client_bound)
        low *= _BACK
    return SearchResult(fault or "end", is_client_bound=bad.is_client_bound)


def choose_connections(rate: float, plan: Plan) -> int:
    """Choose over how many connections a rate is sent, when the plan names no number of users."""
    return plan.users or max(_FEWEST_CONNECTIONS, min(_MOST_CONNECTIONS, round(rate * _CONNECTION_S)))
