"""What the numbers mean, in plain words: how much, what was the limit, and how sure that is."""

from dataclasses import dataclass

from cvserve.loadtest.measure.capacity import SearchResult
from cvserve.loadtest.measure.step import Step
from cvserve.loadtest.plan import Plan
from cvserve.loadtest.report.format import DASH, format_count, format_number
from cvserve.loadtest.samples import compute_spread

_FULL = 0.9  # of a machine's cores
_BUSY = 0.8  # of the workers' time: from here on the server is at its limit, as far as it can be seen


@dataclass(frozen=True)
class Verdict:
    """The answer of a load test: a number, what set it, and sentences for people.

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
        """All sentences as one text."""
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


def judge_search(found: SearchResult, steps: list[Step], plan: Plan, place: Place) -> Verdict:
    """Say what a search for the capacity found.

    Args:
        found: by `find_capacity`.
        steps: all loads that were tried, at least one.
        plan: what was to be done.
        place: where client and server ran, since on the same cores the number is a lower bound.
    """
    if found.hold is None:
        return _judge_nothing_held(found, steps, plan)
    limit = _name_limit(found)
    capacity = found.hold.rps
    at_least = place.is_shared or limit == "client" or found.ended_by == "end"
    size = f"{'at least ' if at_least else ''}{format_number(capacity)} requests/s"
    how = f"within p95 ≤ {format_number(plan.slo_p95_ms)} ms" if plan.slo_p95_ms is not None else ""
    sharing = f"with client and server on the same {place.cores} cores" if place.is_shared else ""
    sentences = [f"The server holds {', '.join(part for part in (size, how, sharing) if part)}."]
    sentences.append(_explain(found, plan, limit))
    sentences += _note_full_machine(found.hold, place)
    sentences.append(_describe_noise(found.hold))
    return Verdict(capacity, found.knee_users, limit, tuple(sentences))


def judge_load(step: Step, plan: Plan, place: Place) -> Verdict:
    """Say what one load on a server showed; there is a capacity only where the server fell behind an open load."""
    fault = step.find_fault(plan)
    p95 = step.p95_ms
    answered = f"{format_number(step.rps)} good answers/s"
    if plan.rate is None:
        what = f"{format_count(step.users, 'user')} got {answered}"
    else:
        what = f"Of {format_number(plan.rate)} requests due a second the server answered {answered}"
    sentences = [f"{what}, p95 {DASH if p95 is None else f'{format_number(p95)} ms'}."]
    limit: str | None = None
    if step.is_client_bound:
        limit = "client"
        sentences.append("The load generator was at its own limit, so this says little of the server.")
    elif fault == "slo":
        limit = "slo"
        sentences.append(f"That is above p95 ≤ {format_number(plan.slo_p95_ms)} ms.")
    elif fault == "backlog":
        limit = "server"
        sentences.append(f"It fell behind by {format_count(step.backlog, 'request')}: this is more than it holds.")
    elif fault == "failures" and _name_main_reason(step).startswith("503"):
        limit = "server"
        sentences.append("It refused what it could not take: this is more than it holds.")
    elif step.server is not None and step.server.busy >= _BUSY:
        limit = "server"
        sentences.append(f"Its workers were busy {step.server.busy:.0%} of the time.")
    if step.whole.failed:
        sentences.append(
            f"{step.whole.failure_share:.1%} of the requests failed, most with: {_name_main_reason(step)}."
        )
    if place.is_shared:
        sentences.append(
            f"Client and server ran on the same {place.cores} cores, and the client took {step.whole.busy:.0%} of one: "
            "by itself the server may do more."
        )
        sentences += _note_full_machine(step, place)
    sentences.append(_describe_noise(step))
    capacity = step.rps if fault == "backlog" and limit == "server" else None
    return Verdict(capacity, None, limit, tuple(sentences))


def _name_main_reason(step: Step) -> str:
    """The most frequent reason of the failures, without the request: `503 overloaded`."""
    ((reason, _),) = step.whole.failures.most_common(1)
    return reason.partition(": ")[2]


def _judge_nothing_held(found: SearchResult, steps: list[Step], plan: Plan) -> Verdict:
    least = min(steps, key=lambda step: (step.rate or 0, step.users))
    load = "one user" if least.rate is None else f"{format_number(least.rate)} requests/s"
    if found.ended_by == "slo":
        slo, p95 = format_number(plan.slo_p95_ms), format_number(least.p95_ms)
        sentence = f"No load keeps p95 ≤ {slo} ms: with only {load}, p95 is {p95} ms."
    elif found.ended_by == "failures":
        sentence = f"No load is held: with only {load}, {least.whole.failure_share:.0%} of the requests fail."
    else:
        sentence = f"No load is held: with only {load}, the server falls behind."
    limit = "client" if found.is_client_bound else "slo" if found.ended_by == "slo" else "server"
    return Verdict(None, None, limit, (sentence,))


def _name_limit(found: SearchResult) -> str:
    """What set the capacity; never the server where the load generator had no time left."""
    if found.is_client_bound or found.ended_by in ("client", "end"):
        return "client"
    return "slo" if found.ended_by == "slo" else "server"


def _explain(found: SearchResult, plan: Plan, limit: str) -> str:
    hold = found.hold
    assert hold is not None
    seen = ""
    if hold.server is not None:
        seen = f" Its workers were busy {hold.server.busy:.0%} of the time, with {hold.server.queue_depth:.1f} waiting."
    if found.ended_by == "end":
        return f"{format_count(hold.users, 'user')} were not enough to find its limit; allow more (--users).{seen}"
    if limit == "client":
        return (
            f"The load generator was the limit (busy {hold.whole.busy:.0%}), so the server may hold more: "
            f"try --processes {plan.processes + 1}, or another machine.{seen}"
        )
    if found.ended_by == "slo":
        return f"With more load, p95 passes {format_number(plan.slo_p95_ms)} ms.{seen}"
    if found.ended_by == "failures":
        return f"With more load, more than {plan.max_failure_share:.0%} of the requests fail.{seen}"
    if found.ended_by == "backlog":
        return f"With more load it falls behind: the server is the limit.{seen}"
    knee = format_count(found.knee_users or 0, "user")
    return f"Beyond {knee}, more users bring no more throughput: the server is the limit.{seen}"


def _note_full_machine(step: Step, place: Place) -> list[str]:
    """A sentence when client and server shared a machine that had no core to spare; else none."""
    if not place.is_shared or step.machine_busy is None or step.machine_busy < _FULL:
        return []
    return [f"The cores were busy {step.machine_busy:.0%} of the time, so client and server slowed each other down."]


def _describe_noise(step: Step) -> str:
    low, middle, high = compute_spread([window.rps for window in step.windows])
    off = max(high - middle, middle - low) / middle if middle else 0.0
    length = step.windows[0].end - step.windows[0].begin
    return (
        f"Measured in {format_count(len(step.windows), 'window')} of {length:.1f} s: "
        f"{format_number(low)} to {format_number(high)} a second (±{off:.0%})."
    )
