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
class Found:
    """What a search found.

    Attributes:
        cut: what ended it: `flat` (throughput stopped growing), `slo`, `failures`, `backlog` (open load: the server
            fell behind), `client`, or `end` (all users there may be).
        hold: the load at the capacity; None when not even the smallest one was held.
        half, most: open load at 50 % and 80 % of the capacity.
        knee_users: the fewest with which throughput reaches 95 % of the capacity; None in open load.
        is_client_bound: the load generator was at its limit where the search ended.
    """

    cut: str
    hold: Step | None = None
    half: Step | None = None
    most: Step | None = None
    knee_users: int | None = None
    is_client_bound: bool = False


def find_capacity(bench: Bench, plan: Plan) -> Found:
    """Search in closed or open load, as the plan says, then hold, then look at 50 % and 80 % of it."""
    found = _closed(bench, plan) if plan.rate is None else _open(bench, plan, plan.rate)
    if found.hold is None or not found.hold.rps:
        return found
    users = connections(found.hold.rps, plan)
    found.half = bench.open(0.5 * found.hold.rps, users, plan.share_s, "half")
    found.most = bench.open(0.8 * found.hold.rps, users, plan.share_s, "most")
    return found


def _closed(bench: Bench, plan: Plan) -> Found:
    measured: dict[int, Step] = {}

    def measure(users: int) -> Step:
        if users not in measured:
            measured[users] = bench.closed(users, plan.step_s)
        return measured[users]

    def holds(users: int) -> bool:
        return measure(users).fault(plan) is None

    cut = _climb(measure, plan)
    last = measured[max(measured)]
    held = [users for users, step in measured.items() if step.fault(plan) is None]
    if not held:
        return Found(cut, is_client_bound=last.is_client_bound)
    if cut in ("slo", "failures"):
        users = _largest(max(held), last.users, holds)
    else:
        best = max(measured[users].rps for users in held)
        users = min(users for users in held if measured[users].rps >= _NEAR_BEST * best)
    knee = _knee(measured, measure, users)
    hold = bench.closed(users, plan.run_time_s, "hold")
    for _ in range(_HOLD_TRIES):
        if hold.fault(plan) is None or users == 1:
            break
        users = max(1, min(users - 1, int(users * _BACK)))
        hold = bench.closed(users, plan.run_time_s, "hold")
    bound = hold.is_client_bound or (cut != "flat" and last.is_client_bound)
    return Found(cut, hold if hold.fault(plan) is None else None, None, None, min(knee, users), bound)


def _climb(measure: Callable[[int], Step], plan: Plan) -> str:
    """Double the users until it does not pay; what ended it."""
    most = plan.users or plan.max_users
    users, best, flat = 1, 0.0, 0
    while True:
        step = measure(users)
        fault = step.fault(plan)
        if fault is not None:
            return fault
        flat = flat + 1 if step.rps < best * (1 + _GAIN) else 0
        best = max(best, step.rps)
        if flat == 2:
            return "client" if step.is_client_bound else "flat"
        if users >= most:
            return "client" if step.is_client_bound else "end"
        users = min(2 * users, most)


def _largest(good: int, bad: int, holds: Callable[[int], bool]) -> int:
    """The largest number of users that is held, between one that is and one that is not."""
    while bad - good > max(1, good // 20):
        middle = (good + bad) // 2
        good, bad = (middle, bad) if holds(middle) else (good, middle)
    return good


def _knee(measured: dict[int, Step], measure: Callable[[int], Step], users: int) -> int:
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


def _open(bench: Bench, plan: Plan, rate: float) -> Found:
    def measure(rate: float) -> Step:
        return bench.open(rate, connections(rate, plan), plan.step_s)

    good: Step | None = None
    step = measure(rate)
    while (fault := step.fault(plan)) is None and rate < _GREATEST_RATE:  # up while it is held
        good, rate = step, 2 * rate
        step = measure(rate)
    bad = step
    while good is None and rate > 1:  # down while it is not
        rate /= 2
        step = measure(rate)
        cut = step.fault(plan)
        good, bad, fault = (step, bad, fault) if cut is None else (None, step, cut)
    if good is None or good.rate is None or bad.rate is None:
        return Found(fault or "end", is_client_bound=bad.is_client_bound)
    low, high = good.rate, bad.rate
    while high - low > _CLOSE * low:
        middle = (low + high) / 2
        step = measure(middle)
        cut = step.fault(plan)
        low, high, bad, fault = (middle, high, bad, fault) if cut is None else (low, middle, step, cut)
    for _ in range(_HOLD_TRIES):
        hold = bench.open(low, connections(low, plan), plan.run_time_s, "hold")
        if hold.fault(plan) is None:
            return Found(fault or "end", hold, is_client_bound=bad.is_client_bound)
        low *= _BACK
    return Found(fault or "end", is_client_bound=bad.is_client_bound)


def connections(rate: float, plan: Plan) -> int:
    """Over how many connections so many requests a second are sent."""
    return plan.users or max(_FEWEST_CONNECTIONS, min(_MOST_CONNECTIONS, round(rate * _CONNECTION_S)))
