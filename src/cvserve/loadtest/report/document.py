"""The report of a load test as one JSON document; pages, tables and the database are made from it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from cvserve.loadtest.measure.capacity import SearchResult
from cvserve.loadtest.measure.step import Run, Step
from cvserve.loadtest.plan import Plan
from cvserve.loadtest.report.verdict import Verdict
from cvserve.loadtest.samples import Latencies, Window

Report = dict[str, Any]
FORMAT = 1
_PERCENTS = (50, 66, 75, 80, 90, 95, 98, 99, 99.9, 100)


def make_report(
    *,
    plan: Plan,
    run: Run,
    found: SearchResult | None,
    verdict: Verdict,
    about: dict[str, Any],
    is_partial: bool,
) -> Report:
    """Put all that is known of a run into one document, which can be JSON.

    Args:
        plan: what was to be done.
        run: what was measured.
        found: by a search; None: one load.
        verdict: what it means.
        about: target, model, server and machine.
        is_partial: it was stopped before its end.
    """
    main = choose_main_step(run.steps)
    failures: Counter[str] = Counter()
    for _, window in run.timeline:
        failures.update(window.failures)
    numbers = describe_step(main) if main else dict.fromkeys(("rps", "p50_ms", "p95_ms", "p99_ms"))
    return {
        "format": FORMAT,
        **about,
        "mode": plan.mode,
        "is_search": plan.find_capacity,
        "is_partial": is_partial,
        "requests": sum(window.good + window.failed for _, window in run.timeline),
        "failures": failures.total(),
        **{name: numbers[name] for name in ("rps", "p50_ms", "p95_ms", "p99_ms")},
        "capacity_rps": round_off(verdict.capacity_rps),
        "knee_users": verdict.knee_users,
        "limited_by": verdict.limited_by,
        "verdict": list(verdict.sentences),
        "measured": describe_step(main) if main else None,
        "shares": {
            name: describe_step(step)
            for name, step in (
                ("50%", found and found.half),
                ("80%", found and found.most),
                ("100%", found and found.hold),
            )
            if step
        },
        "steps": [describe_step(step) for step in run.steps],
        "reasons": [
            {"request": reason.partition(": ")[0], "reason": reason.partition(": ")[2], "count": count}
            for reason, count in failures.most_common()
        ],
        "timeline": describe_timeline(run.timeline),
        "distribution": sorted(main.whole.latencies.counts.items()) if main else [],
        "plan": asdict(plan),
    }


def choose_main_step(steps: Sequence[Step]) -> Step | None:
    """Choose the load that the figures at the top of a report describe.

    Returns:
        The hold at the capacity, or the one load; else the last load that was measured; None without any.
    """
    chosen = [step for step in steps if step.phase in ("hold", "load")] or list(steps)
    return chosen[-1] if chosen else None


def describe_step(step: Step) -> dict[str, Any]:
    """One load as a report has it: times in ms, shares from 0 to 1, its windows one by one."""
    return {
        "phase": step.phase,
        "users": step.users,
        "rate": round_off(step.rate),
        "seconds": round_off(step.whole.end - step.whole.begin),
        **_numbers(step.whole),
        "percentiles_ms": _describe_percentiles(step.whole.latencies),
        "client_busy": round_off(step.whole.busy),
        "server_busy": round_off(step.server.busy) if step.server else None,
        "machine_busy": round_off(step.machine_busy),
        "queue_depth": round_off(step.server.queue_depth) if step.server else None,
        "backlog": step.backlog,
        "windows": [_numbers(window) for window in step.windows],
    }


def _describe_percentiles(latencies: Latencies) -> dict[str, float | None]:
    """Latencies in ms by percent: `{"50": 3.1, "99.9": 12.0}`."""
    return {f"{percent:g}": value for percent, value in latencies.percentiles_ms(_PERCENTS).items()}


def describe_timeline(timeline: Sequence[tuple[str, Window]]) -> list[dict[str, Any]]:
    """The windows of a run as a report has them, with their seconds since the first."""
    begin = timeline[0][1].begin if timeline else 0.0
    return [
        {"second": round_off(window.begin - begin), "phase": phase, "users": window.users, **_numbers(window)}
        for phase, window in timeline
    ]


def _numbers(window: Window) -> dict[str, Any]:
    found = window.latencies.percentiles_ms([50, 95, 99])
    return {
        "requests": window.good + window.failed,
        "failures": window.failed,
        "rps": round_off(window.rps),
        "p50_ms": found[50],
        "p95_ms": found[95],
        "p99_ms": found[99],
    }


def round_off(value: float | None) -> float | None:
    """Round to three decimals."""
    return None if value is None else round(value, 3)
