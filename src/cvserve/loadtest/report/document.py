"""The report of a load test as one JSON document; pages, tables and the database are made from it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from cvserve.loadtest.measure.capacity import Found
from cvserve.loadtest.measure.step import Run, Step
from cvserve.loadtest.plan import Plan
from cvserve.loadtest.report.verdict import Verdict
from cvserve.loadtest.samples import Latencies, Window

Report = dict[str, Any]
FORMAT = 1
_PERCENTS = (50, 66, 75, 80, 90, 95, 98, 99, 99.9, 100)


def report_of(
    *,
    plan: Plan,
    run: Run,
    found: Found | None,
    verdict: Verdict,
    about: dict[str, Any],
    is_partial: bool,
) -> Report:
    """Everything that is known.

    Args:
        plan: what was to be done.
        run: what was measured.
        found: by a search; None: one load.
        verdict: what it means.
        about: target, model, server and machine.
        is_partial: it was stopped before its end.
    """
    main = main_step(run.steps)
    failures: Counter[str] = Counter()
    for _, window in run.timeline:
        failures.update(window.failures)
    numbers = step_report(main) if main else dict.fromkeys(("rps", "p50_ms", "p95_ms", "p99_ms"))
    return {
        "format": FORMAT,
        **about,
        "mode": plan.mode,
        "is_search": plan.find_capacity,
        "is_partial": is_partial,
        "requests": sum(window.good + window.failed for _, window in run.timeline),
        "failures": failures.total(),
        **{name: numbers[name] for name in ("rps", "p50_ms", "p95_ms", "p99_ms")},
        "capacity_rps": rounded(verdict.capacity_rps),
        "knee_users": verdict.knee_users,
        "limited_by": verdict.limited_by,
        "verdict": list(verdict.sentences),
        "measured": step_report(main) if main else None,
        "shares": {
            name: step_report(step)
            for name, step in (
                ("50%", found and found.half),
                ("80%", found and found.most),
                ("100%", found and found.hold),
            )
            if step
        },
        "steps": [step_report(step) for step in run.steps],
        "reasons": [
            {"request": reason.partition(": ")[0], "reason": reason.partition(": ")[2], "count": count}
            for reason, count in failures.most_common()
        ],
        "timeline": timeline_report(run.timeline),
        "distribution": sorted(main.whole.latencies.counts.items()) if main else [],
        "plan": asdict(plan),
    }


def main_step(steps: Sequence[Step]) -> Step | None:
    """What the numbers at the top are of: the hold at the capacity, the one load, or else the last that was seen."""
    chosen = [step for step in steps if step.phase in ("hold", "load")] or list(steps)
    return chosen[-1] if chosen else None


def step_report(step: Step) -> dict[str, Any]:
    """One load."""
    return {
        "phase": step.phase,
        "users": step.users,
        "rate": rounded(step.rate),
        "seconds": rounded(step.whole.end - step.whole.begin),
        **_numbers(step.whole),
        "percentiles_ms": percentiles(step.whole.latencies),
        "client_busy": rounded(step.whole.busy),
        "server_busy": rounded(step.server.busy) if step.server else None,
        "machine_busy": rounded(step.machine_busy),
        "queue_depth": rounded(step.server.queue_depth) if step.server else None,
        "backlog": step.backlog,
        "windows": [_numbers(window) for window in step.windows],
    }


def percentiles(latencies: Latencies) -> dict[str, float | None]:
    """In milliseconds, by name."""
    return {f"{percent:g}": value for percent, value in latencies.percentiles_ms(_PERCENTS).items()}


def timeline_report(timeline: Sequence[tuple[str, Window]]) -> list[dict[str, Any]]:
    """Each second from the first."""
    begin = timeline[0][1].begin if timeline else 0.0
    return [
        {"second": rounded(window.begin - begin), "phase": phase, "users": window.users, **_numbers(window)}
        for phase, window in timeline
    ]


def _numbers(window: Window) -> dict[str, Any]:
    found = window.latencies.percentiles_ms([50, 95, 99])
    return {
        "requests": window.good + window.failed,
        "failures": window.failed,
        "rps": rounded(window.rps),
        "p50_ms": found[50],
        "p95_ms": found[95],
        "p99_ms": found[99],
    }


def rounded(value: float | None) -> float | None:
    """Three decimals."""
    return None if value is None else round(value, 3)
