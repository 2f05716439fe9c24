"""Measure cvserve beside its peers: `python benchmarks/run.py [--quick] [--only CASE,…] [--repeats N] [--write]`.

Prints Markdown, keeps raw figures in `results/`, and with `--write` puts the tables into docs/performance.md.
"""

import argparse
import contextlib
import datetime
import http.client
import json
import subprocess
import sys
import time
from pathlib import Path

import cases
import environments
import histories
import load
import report
import servers
import work
from figures import POST, Figures, Run
from rich.console import Console
from rich.progress import Progress

RESULTS = Path(__file__).resolve().parent / "results"
SETTLE_S = 1.0
DRAIN_S = 0.2
PAGE_ROWS = 100
QUICK_ROWS = 10**6  # --quick makes no larger history


def session(case: cases.Case, server: servers.Server, rows: int | None, repeat: int, seconds: float) -> list[Run]:
    """One server, started for this, under each load of the case."""
    home = histories.home(rows) if rows else None
    picture = next(iter(sorted(work.pictures(case.pictures).glob("*.jpg")))).read_bytes()
    measured: list[tuple[str, int, load.Load]] = []
    with servers.running(server, pinned=case.pinned, home=home) as running:
        time.sleep(SETTLE_S)
        idle_mb = running.memory_mb()

        def drive(what: str, connections: int, url: str, for_s: float) -> load.Load:
            folder = work.pictures(case.pictures) if what == POST else None
            came = load.run(
                url, connections, for_s, folder, servers.TOKEN, token_field=server.token_field, pinned=case.pinned
            )
            running.good += came.good if what == POST else 0
            running.ask(picture)  # what wrk left unanswered is done when this is answered, or nearly
            time.sleep(DRAIN_S)
            return came

        drive(POST, case.connections[-1], running.url, 1)  # warm
        for connections in case.connections:
            measured.append((POST, connections, drive(POST, connections, running.url, seconds)))
        if rows is not None:
            newest = histories.newest(running.home)
            for what, after in zip(report.PLACES, (0, newest // 2, max(0, newest - PAGE_ROWS)), strict=True):
                url = f"{running.url}?limit={PAGE_ROWS}&after={after}"
                measured.append((what, 1, drive(what, 1, url, max(1, seconds / 2))))
        loaded_mb = running.memory_mb()
    return [
        Run(
            case=case.name, server=server.key, title=server.title, what=what, connections=connections, repeat=repeat,
            rate=came.rate, p50_ms=came.p50_ms, p99_ms=came.p99_ms, idle_mb=idle_mb, loaded_mb=loaded_mb,
            cold_start_s=running.cold_start_s, problem=_problem(came) or running.problem,
        )
        for what, connections, came in measured
    ]  # fmt: skip


def failed(case: cases.Case, server: servers.Server, repeat: int, error: Exception) -> list[Run]:
    """What is noted of a server that did not come through."""
    return [
        Run(
            case=case.name, server=server.key, title=server.title, what=POST, connections=connections, repeat=repeat,
            rate=0, p50_ms=0, p99_ms=0, idle_mb=0, loaded_mb=0, cold_start_s=0,
            problem=(str(error).splitlines() or [repr(error)])[0],
        )
        for connections in case.connections
    ]  # fmt: skip


def bare_us(seconds: float) -> float:
    """Microseconds a picture without a server, on the server's core."""
    variables = {**work.quiet_threads(), "MODEL": str(work.peer_model("linear"))}
    script = [str(environments.python_of("floor")), str(environments.LISTS / "bare.py")]
    ended = subprocess.run(
        ["taskset", "-c", servers.SERVER_CORE, *script, str(work.pictures(work.SMALL)), str(seconds)],
        env=variables, capture_output=True, text=True, check=True, timeout=seconds + 60,
    )  # fmt: skip
    return float(ended.stdout)


def measure(chosen: list[cases.Case], repeats: int, seconds: float, *, quick: bool) -> tuple[list[Run], list[float]]:
    """All servers of a case in turn, and that again, so that a slow minute meets all of them."""
    runs: list[Run] = []
    bare: list[float] = []
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("", total=repeats * sum(len(case.servers) for case in chosen))
        for case in chosen:
            for repeat in range(repeats):
                if case.name == "throughput":
                    bare.append(bare_us(seconds))
                for index, server in enumerate(case.servers):
                    progress.update(task, description=f"{case.name}: {server.title}, {repeat + 1} of {repeats}")
                    rows = case.rows[index] if case.rows else None
                    if not (quick and (rows or 0) > QUICK_ROWS):
                        try:
                            runs += session(case, server, rows, repeat, seconds)
                        except (
                            RuntimeError,
                            OSError,
                            http.client.HTTPException,
                            ValueError,
                            subprocess.SubprocessError,
                        ) as error:
                            progress.console.print(f"{server.title}: {error}", markup=False)
                            runs += failed(case, server, repeat, error)
                    progress.advance(task)
    return runs, bare


def joined(runs: list[Run], bare: list[float]) -> tuple[list[Run], list[float]]:
    """With the newest figures of every case that was not measured now."""
    for path in sorted(RESULTS.glob("*.json"), reverse=True):
        earlier = json.loads(path.read_text(encoding="utf-8"))
        known = {run["case"] for run in runs}
        runs = runs + [run for run in earlier["runs"] if run["case"] not in known]
        bare = bare or earlier["bare_us"]
    return runs, bare


def main() -> int:
    """Parse, measure, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [case.name for case in cases.CASES]
    parser.add_argument("--quick", action="store_true", help="one repeat of 1 s, to see that everything works")
    parser.add_argument("--only", help=f"cases, separated by commas: {', '.join(names)}")
    parser.add_argument("--repeats", type=int, help="default: 3")
    parser.add_argument("--seconds", type=float, help="of each run; default: 4")
    parser.add_argument(
        "--join", action="store_true", help="add the cases of earlier runs in results/; without --only, measure none"
    )
    parser.add_argument("--write", action="store_true", help="put the tables into docs/performance.md")
    options = parser.parse_args()
    wanted = options.only.split(",") if options.only else [] if options.join else names
    if unknown := set(wanted) - set(names):
        parser.error(f"no case is called {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    repeats = options.repeats or (1 if options.quick else 3)
    seconds = options.seconds or (1.0 if options.quick else 4.0)
    chosen = [case for case in cases.CASES if case.name in wanted]
    work.make()
    for name in sorted({server.environment for case in chosen for server in case.servers if server.environment}):
        environments.make(name)
    runs, bare = measure(chosen, repeats, seconds, quick=options.quick)
    about = report.machine()
    RESULTS.mkdir(exist_ok=True)
    if runs:
        stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
        raw = {"machine": about, "repeats": repeats, "seconds": seconds, "bare_us": bare, "runs": runs}
        (RESULTS / f"{stamp}.json").write_text(json.dumps(raw, indent=1), encoding="utf-8")
    if options.join:
        runs, bare = joined(runs, bare)
    text = report.document(Figures(runs, bare), about, repeats=repeats, seconds=seconds)
    print(text)
    if options.write:
        report.write(text)
    problems = [run for run in runs if run["problem"]]
    for run in problems:
        print(f"INVALID {run['case']} {run['title']} c={run['connections']}: {run['problem']}", file=sys.stderr)
    return 1 if problems else 0


def _problem(came: load.Load) -> str | None:
    said = {"refused": came.refused, "broken": came.broken, "good": 0 if came.good else "none"}
    return ", ".join(f"{number} {what}" for what, number in said.items() if number) or None


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
    sys.exit(130)
