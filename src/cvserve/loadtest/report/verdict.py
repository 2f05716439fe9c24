"""What the numbers mean, in plain words: how much, what was the limit, and how sure that is."""

from dataclasses import dataclass

from cvserve.loadtest.measure.capacity import Found
from cvserve.loadtest.measure.step import Step
from cvserve.loadtest.plan import Plan
from cvserve.loadtest.samples import spread

_FULL = 0.9  # of a machine's cores
_BUSY = 0.8  # of the workers' time: from here on the server is at its limit, as far as it can be seen


@dataclass(frozen=True)
class Verdict:
    """The answer of a load test.

    Attributes:
        capacity_rps: good requests a second that were held; None: it was not looked for, or nothing was held.
        knee_users: the fewest users that reach nearly that much; None in open load.
        limited_by: `server`, `client` or `slo`; None: nothing was at its limit.
        sentences: for people.
    """

    capacity_rps: float | None
    knee_users: int | None
    limited_by: str | None
    sentences: tuple[str, ...]

    @property
    def text(self) -> str:
        """All sentences."""
        return " ".join(self.sentences)


@dataclass(frozen=True)
class Place:
    """Where client and server ran.

    Attributes:
        is_shared: both on this machine.
        cores: of this machine that may be used.
    """

    is_shared: bool
    cores: int


def judge_search(found: Found, steps: list[Step], plan: Plan, place: Place) -> Verdict:
    """Of a search for the capacity."""
    if found.hold is None:
        return _nothing_held(found, steps, plan)
    limit = _limit_of(found)
    capacity = found.hold.rps
    at_least = place.is_shared or limit == "client" or found.cut == "end"
    size = f"{'at least ' if at_least else ''}{number(capacity)} requests/s"
    how = f"within p95 ≤ {number(plan.slo_p95_ms)} ms" if plan.slo_p95_ms is not None else ""
    sharing = f"with client and server on the same {place.cores} cores" if place.is_shared else ""
    sentences = [f"The server holds {', '.join(part for part in (size, how, sharing) if part)}."]
    sentences.append(_why(found, plan, limit))
    sentences += _full(found.hold, place)
    sentences.append(_noise(found.hold))
    return Verdict(capacity, found.knee_users, limit, tuple(sentences))


def judge_load(step: Step, plan: Plan, place: Place) -> Verdict:
    """Of one load."""
    fault = step.fault(plan)
    p95 = step.p95_ms
    answered = f"{number(step.rps)} good answers/s"
    if plan.rate is None:
        what = f"{plural(step.users, 'user')} got {answered}"
    else:
        what = f"Of {number(plan.rate)} requests due a second the server answered {answered}"
    sentences = [f"{what}, p95 {'–' if p95 is None else f'{number(p95)} ms'}."]
    limit: str | None = None
    if step.is_client_bound:
        limit = "client"
        sentences.append("The load generator was at its own limit, so this says little of the server.")
    elif fault == "slo":
        limit = "slo"
        sentences.append(f"That is above p95 ≤ {number(plan.slo_p95_ms)} ms.")
    elif fault == "backlog":
        limit = "server"
        sentences.append(f"It fell behind by {plural(step.backlog, 'request')}: this is more than it holds.")
    elif fault == "failures" and _reason(step).startswith("503"):
        limit = "server"
        sentences.append("It refused what it could not take: this is more than it holds.")
    elif step.server is not None and step.server.busy >= _BUSY:
        limit = "server"
        sentences.append(f"Its workers were busy {step.server.busy:.0%} of the time.")
    if step.whole.failed:
        sentences.append(f"{step.whole.failure_share:.1%} of the requests failed, most with: {_reason(step)}.")
    if place.is_shared:
        sentences.append(
            f"Client and server ran on the same {place.cores} cores, and the client took {step.whole.busy:.0%} of one: "
            "by itself the server may do more."
        )
        sentences += _full(step, place)
    sentences.append(_noise(step))
    capacity = step.rps if fault == "backlog" and limit == "server" else None
    return Verdict(capacity, None, limit, tuple(sentences))


def _reason(step: Step) -> str:
    """What most failures were."""
    ((reason, _),) = step.whole.failures.most_common(1)
    return reason.partition(": ")[2]


def _nothing_held(found: Found, steps: list[Step], plan: Plan) -> Verdict:
    least = min(steps, key=lambda step: (step.rate or 0, step.users))
    who = "One user alone" if least.rate is None else f"Already {number(least.rate)} requests/s"
    if found.cut == "slo":
        p95 = least.p95_ms
        said = f"No load keeps p95 ≤ {number(plan.slo_p95_ms)} ms: {who.lower()} has p95 {number(p95)} ms."
    elif found.cut == "failures":
        said = f"No load is held: {who.lower()} has {least.whole.failure_share:.0%} failures."
    else:
        said = f"No load was held: {who.lower()} is more than what comes back."
    limit = "client" if found.is_client_bound else "slo" if found.cut == "slo" else "server"
    return Verdict(None, None, limit, (said,))


def _limit_of(found: Found) -> str:
    """Never the server's where the client had no time left."""
    if found.is_client_bound or found.cut in ("client", "end"):
        return "client"
    return "slo" if found.cut == "slo" else "server"


def _why(found: Found, plan: Plan, limit: str) -> str:
    hold = found.hold
    assert hold is not None
    seen = ""
    if hold.server is not None:
        seen = f" Its workers were busy {hold.server.busy:.0%} of the time, with {hold.server.queue_depth:.1f} waiting."
    if found.cut == "end":
        return f"{plural(hold.users, 'user')} were not enough to find its limit; allow more (--users).{seen}"
    if limit == "client":
        return (
            f"The load generator was the limit (busy {hold.whole.busy:.0%}), so the server may hold more: "
            f"try --processes {plan.processes + 1}, or another machine.{seen}"
        )
    if found.cut == "slo":
        return f"With more load, p95 passes {number(plan.slo_p95_ms)} ms.{seen}"
    if found.cut == "failures":
        return f"With more load, more than {plan.max_failure_share:.0%} of the requests fail.{seen}"
    if found.cut == "backlog":
        return f"With more load it falls behind: the server is the limit.{seen}"
    return f"From {plural(found.knee_users or 0, 'user')} on more of them bring no more: the server is the limit.{seen}"


def _full(step: Step, place: Place) -> list[str]:
    """A machine without a free core gave neither of them all that it could take."""
    if not place.is_shared or step.machine_busy is None or step.machine_busy < _FULL:
        return []
    return [f"The cores were busy {step.machine_busy:.0%} of the time: whatever ran took them from each other."]


def _noise(step: Step) -> str:
    low, middle, high = spread([window.rps for window in step.windows])
    off = max(high - middle, middle - low) / middle if middle else 0.0
    length = step.windows[0].end - step.windows[0].begin
    return (
        f"Measured in {plural(len(step.windows), 'window')} of {length:.1f} s: "
        f"{number(low)} to {number(high)} a second (±{off:.0%})."
    )


def number(value: float | None) -> str:
    """Three digits that count, without a tail of zeros."""
    if value is None:
        return "–"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def plural(count: int, what: str) -> str:
    """`1 user`, `2 users`."""
    return f"{count} {what}" + ("" if count == 1 else "s")
