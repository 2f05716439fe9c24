"""One load test from the first request to the report, whatever ends it."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvserve.cores import usable_cores
from cvserve.errors import CvserveError
from cvserve.loadtest.client import Client
from cvserve.loadtest.locust.generators import Generators, Order
from cvserve.loadtest.locust.template import render_locustfile
from cvserve.loadtest.machine import read_machine
from cvserve.loadtest.measure.bench import Bench
from cvserve.loadtest.measure.capacity import SearchResult, choose_connections, find_capacity
from cvserve.loadtest.measure.step import Run
from cvserve.loadtest.measure.watch import Watch
from cvserve.loadtest.pictures import find_pictures
from cvserve.loadtest.plan import Plan
from cvserve.loadtest.report.document import Report, choose_main_step, make_report
from cvserve.loadtest.report.verdict import Place, Verdict, judge_load, judge_search
from cvserve.loadtest.samples import Window
from cvserve.loadtest.target import Greeting, Target, greet
from cvserve.timestamps import format_timestamp

_GREETINGS = 8


@dataclass(frozen=True)
class Ended:
    """How a load test ended.

    Attributes:
        report: what was measured until then.
        error: why it could not go on; None: it came to its end, or somebody stopped it.
        is_stopped: by Ctrl-C.
    """

    report: Report
    error: CvserveError | None = None
    is_stopped: bool = False


def run_loadtest(
    target: Target,
    plan: Plan,
    *,
    csv: Path | None = None,
    on_window: Callable[[str, Window], None] = lambda _phase, _window: None,
    settings: dict[str, Any] | None = None,
) -> Ended:
    """Load a server as planned, and report what was measured, also when something ends the test early.

    Args:
        target: a server that answers.
        plan: what to do.
        csv: prefix of Locust's CSV files; None: no files.
        on_window: called with the phase and the window of each second while the test runs.
        settings: of the server, for the report.

    Raises:
        CvserveError: it could not begin: nobody answers, the token or a picture is refused, Locust does not start.
    """
    pictures = find_pictures(plan.images)
    created_at = format_timestamp()
    greeting = greet(target, pictures[:_GREETINGS])
    order = Order(
        render_locustfile(plan, target.url, stands_alone=False),
        target.url,
        target.token,
        csv,
        plan.stop_timeout_s,
        plan.processes,
    )
    client = Client(target.url, target.token, timeout_s=5.0) if greeting.sees_metrics else None
    found, error, is_stopped = None, None, False
    with Watch(client) as watch, Generators(order) as generators:
        bench = Bench(generators, plan, watch, on_window, greeting.latency_ms)
        try:
            found = run_plan(bench, plan)
        except CvserveError as raised:
            error = raised
        except KeyboardInterrupt:
            is_stopped = True
        with contextlib.suppress(KeyboardInterrupt):  # the second one: at once
            bench.finish()
    about = _describe_setup(target, greeting, created_at, len(pictures), settings)
    is_partial = is_stopped or error is not None
    verdict = judge(bench.run, found, plan, Place(target.is_here, usable_cores()), is_partial=is_partial)
    report = make_report(plan=plan, run=bench.run, found=found, verdict=verdict, about=about, is_partial=is_partial)
    return Ended(report, error, is_stopped)


def run_plan(bench: Bench, plan: Plan) -> SearchResult | None:
    """Search for the capacity, or apply the one load of the plan; the steps are then in `bench.run`."""
    if plan.find_capacity:
        return find_capacity(bench, plan)
    if plan.rate is None:
        bench.apply_closed(plan.users or 1, plan.run_time_s, "load", plan.spawn_rate)
    else:
        bench.apply_open(plan.rate, choose_connections(plan.rate, plan), plan.run_time_s, "load")
    return None


def judge(run: Run, found: SearchResult | None, plan: Plan, place: Place, *, is_partial: bool) -> Verdict:
    """Judge a run: the result of a search, else its one load; a run that ended early gets no verdict."""
    if found is not None:
        return judge_search(found, run.steps, plan, place)
    step = choose_main_step(run.steps)
    if step is None or is_partial:
        return Verdict(None, None, None, ("It ended before there was a verdict: what follows is a part.",))
    return judge_load(step, plan, place)


def _describe_setup(
    target: Target, greeting: Greeting, created_at: str, pictures: int, settings: dict[str, Any] | None
) -> dict[str, Any]:
    return {
        "created_at": created_at,
        "target": "own server" if target.is_own else target.url,
        "is_own": target.is_own,
        "is_same_machine": target.is_here,
        "model": greeting.model,
        "idle_latency_ms": round(greeting.latency_ms, 3),
        "pictures": pictures,
        "settings": settings or {},
        "machine": read_machine(),
    }
