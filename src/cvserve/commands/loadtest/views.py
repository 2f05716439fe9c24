"""What `cvserve loadtest` prints: the verdict with its tables, and the list of runs."""

import sys
from pathlib import Path

from cvserve.commands.terminal.columns import Column, Row
from cvserve.commands.terminal.output import Format, print_json, say
from cvserve.commands.terminal.table import print_table
from cvserve.loadtest.report.document import Report
from cvserve.loadtest.report.format import DASH, format_number, format_whole
from cvserve.loadtest.report.page import make_load_cells
from cvserve.loadtest.runs import read_runs
from cvserve.texts import replace_unprintable

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


def print_report(report: Report) -> None:
    """Print the verdict, a table of the loads and the reasons of failures on stdout."""
    for sentence in report["verdict"]:
        sys.stdout.write(f"{replace_unprintable(sentence)}\n")
    if report["steps"]:
        sys.stdout.write("\n")
        rows = [
            Row(make_load_cells(step), "bold" if step["phase"] in ("hold", "load") else "") for step in report["steps"]
        ]
        print_table(_LOADS, rows)
    if report["reasons"]:
        sys.stdout.write("\n")
        rows = [Row((entry["request"], entry["reason"], f"{entry['count']:,}")) for entry in report["reasons"]]
        print_table((Column("request"), Column("reason", least=20), Column("count", right=True)), rows)


def print_runs(home: Path, *, as_json: bool) -> None:
    """Print the runs that a folder keeps on stdout, oldest first."""
    runs = read_runs(home)
    if as_json:
        print_json(({"run": run.id, **run.report} for run in runs), Format.JSON)
        return
    if not runs:
        say("No load tests here; make one with: cvserve loadtest")
        return
    print_table(_RUNS, [Row(_cells(run.id, run.report), "dim" if run.report["is_partial"] else "") for run in runs])


def _cells(run_id: int, report: Report) -> tuple[str, ...]:
    model = f"{report['model'].get('name', '?')} {report['model'].get('version', '')[:6]}"
    return (
        str(run_id),
        report["created_at"][:19].replace("T", " "),
        report["target"],
        model,
        report["mode"],
        format_number(report["capacity_rps"]),
        format_number(report["rps"]),
        format_number(report["p95_ms"]),
        format_whole(report["failures"]),
        "partial" if report["is_partial"] else report["limited_by"] or DASH,
    )
