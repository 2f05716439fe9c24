"""A load test for people: the verdict, its table, and the list of runs."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cvserve.commands.terminal.output import Format, print_json, say
from cvserve.commands.terminal.table import Column, Row, print_table
from cvserve.loadtest.report.page import load_cells, number_or_dash
from cvserve.loadtest.report.verdict import number
from cvserve.loadtest.runs import kept
from cvserve.texts import replace_unprintable

if TYPE_CHECKING:
    from cvserve.loadtest.report.document import Report

_LOADS = (
    Column("load"),
    Column("users", right=True),
    Column("due/s", right=True, spare=4),
    Column("seconds", right=True, spare=5),
    Column("requests/s", right=True),
    Column("p50 ms", right=True),
    Column("p95 ms", right=True),
    Column("p99 ms", right=True, spare=3),
    Column("failures", right=True),
    Column("client", right=True, spare=1),
    Column("server", right=True, spare=2),
)
_RUNS = (
    Column("run", right=True),
    Column("when (UTC)"),
    Column("target", least=12, spare=1),
    Column("model", least=10, spare=3),
    Column("mode", spare=4),
    Column("capacity/s", right=True),
    Column("requests/s", right=True),
    Column("p95 ms", right=True),
    Column("failures", right=True, spare=2),
    Column("limited by"),
)


def print_report(report: "Report") -> None:
    """The verdict and a table of the loads on stdout."""
    for sentence in report["verdict"]:
        sys.stdout.write(f"{replace_unprintable(sentence)}\n")
    if report["steps"]:
        sys.stdout.write("\n")
        rows = [Row(load_cells(step), "bold" if step["phase"] in ("hold", "load") else "") for step in report["steps"]]
        print_table(_LOADS, rows)
    if report["reasons"]:
        sys.stdout.write("\n")
        rows = [Row((entry["request"], entry["reason"], f"{entry['count']:,}")) for entry in report["reasons"]]
        print_table((Column("request"), Column("reason", least=20), Column("count", right=True)), rows)


def print_runs(home: Path, *, as_json: bool) -> None:
    """The runs that a folder keeps, oldest first."""
    runs = kept(home)
    if as_json:
        print_json(({"run": run.id, **run.report} for run in runs), Format.JSON)
        return
    if not runs:
        say("No load tests here; make one with: cvserve loadtest")
        return
    print_table(_RUNS, [Row(_cells(run.id, run.report), "dim" if run.report["is_partial"] else "") for run in runs])


def _cells(run_id: int, report: "Report") -> tuple[str, ...]:
    model = f"{report['model'].get('name', '?')} {report['model'].get('version', '')[:6]}"
    return (
        str(run_id),
        report["created_at"][:19].replace("T", " "),
        report["target"],
        model,
        report["mode"],
        number(report["capacity_rps"]),
        number(report["rps"]),
        number(report["p95_ms"]),
        number_or_dash(report["failures"]),
        "partial" if report["is_partial"] else report["limited_by"] or "–",
    )
