"""The report as one HTML file: no script, nothing from the network, light and dark, wide and narrow."""

from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from typing import Any

from cvserve.loadtest.report.charts import distribution, over_load, over_time
from cvserve.loadtest.report.document import Report
from cvserve.loadtest.report.plot import Chart, drawn
from cvserve.loadtest.report.verdict import number

_WIDE, _NARROW = (640, 280), (360, 260)
PHASES = {"step": "step", "half": "50 %", "most": "80 %", "hold": "100 %: held", "load": "load", "end": "end"}
_HEAD = (
    "load",
    "users",
    "due/s",
    "seconds",
    "requests/s",
    "p50 ms",
    "p95 ms",
    "p99 ms",
    "failures",
    "client",
    "server",
)


def page(report: Report) -> str:
    """The page's text; everything that came from elsewhere is escaped."""
    style = "".join(
        (files("cvserve.loadtest") / name).read_text(encoding="utf-8") for name in ("chart.css", "page.css")
    )
    title = f"Load test of {report['model'].get('name', '?')} {report['model'].get('version', '')}"
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title><style>{style}</style></head><body><main>",
        f'<h1>{escape(title)}</h1><p class="soft">{escape(report["target"])} · {escape(report["created_at"])}</p>',
        '<p class="partial">Stopped before its end: this is a part of a report.</p>' if report["is_partial"] else "",
        f'<p class="verdict">{escape(report["verdict"][0])}</p>',
        "".join(f"<p>{escape(sentence)}</p>" for sentence in report["verdict"][1:]),
        _figures(report),
        _charts("Over the load", over_load(report)),
        _charts("Over time", over_time(report)),
        _charts("Distribution of the measured latencies", distribution(report)),
        _loads(report),
        _failures(report),
        _facts("Server", {**report["model"], **report["settings"]}),
        _facts("Machine of the load generator", report["machine"]),
        _facts("Plan", report["plan"]),
        "</main></body></html>\n",
    ]
    return "".join(parts)


def _figures(report: Report) -> str:
    shown = {
        "capacity, requests/s": number(report["capacity_rps"]),
        "knee, users": number_or_dash(report["knee_users"]),
        "limited by": report["limited_by"] or "–",
        "measured, requests/s": number(report["rps"]),
        "p50, ms": number(report["p50_ms"]),
        "p95, ms": number(report["p95_ms"]),
        "p99, ms": number(report["p99_ms"]),
        f"failures of {report['requests']:,}": f"{report['failures']:,}",
    }
    if report["capacity_rps"] is None:
        del shown["capacity, requests/s"], shown["knee, users"]
    elif report["capacity_rps"] == report["rps"]:
        del shown["measured, requests/s"]
    cells = "".join(f"<div><b>{escape(value)}</b><small>{escape(name)}</small></div>" for name, value in shown.items())
    return f'<div class="figures">{cells}</div>'


def _charts(title: str, charts: Sequence[Chart]) -> str:
    if not charts:
        return ""
    both = "".join(
        f'<div><div class="wide">{drawn(chart, *_WIDE)}</div><div class="narrow">{drawn(chart, *_NARROW)}</div></div>'
        for chart in charts
    )
    return f'<h2>{escape(title)}</h2><div class="charts">{both}</div>'


def _loads(report: Report) -> str:
    rows = [(("main" if step["phase"] in ("hold", "load") else ""), load_cells(step)) for step in report["steps"]]
    return f"<h2>Loads</h2>{_table(_HEAD, rows)}" if rows else ""


def load_cells(step: dict[str, Any]) -> tuple[str, ...]:
    """A load as the cells of a row."""
    return (
        PHASES[step["phase"]],
        str(step["users"]),
        number(step["rate"]),
        number(step["seconds"]),
        number(step["rps"]),
        number(step["p50_ms"]),
        number(step["p95_ms"]),
        number(step["p99_ms"]),
        str(step["failures"]),
        percent(step["client_busy"]),
        percent(step["server_busy"]),
    )


def _failures(report: Report) -> str:
    if not report["reasons"]:
        return "<h2>Failures</h2><p>None.</p>"
    rows = [("", (entry["request"], entry["reason"], f"{entry['count']:,}")) for entry in report["reasons"]]
    return f"<h2>Failures</h2>{_table(('request', 'reason', 'count'), rows, 'words')}"


def _facts(title: str, facts: dict[str, Any]) -> str:
    shown = "".join(
        f"<dt>{escape(name.replace('_', ' '))}</dt><dd>{escape('–' if value in (None, '') else str(value))}</dd>"
        for name, value in facts.items()
    )
    return f"<h2>{escape(title)}</h2><dl>{shown}</dl>"


def _table(head: Iterable[str], rows: Iterable[tuple[str, Sequence[str]]], kind: str = "numbers") -> str:
    titles = "".join(f"<th>{escape(title)}</th>" for title in head)
    body = "".join(
        f'<tr class="{style}">{"".join(f"<td>{escape(cell)}</td>" for cell in cells)}</tr>' for style, cells in rows
    )
    return (
        f'<div class="scroll"><table class="{kind}"><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def number_or_dash(value: int | None) -> str:
    """A whole number."""
    return "–" if value is None else str(value)


def percent(value: float | None) -> str:
    """A share, without decimals."""
    return "–" if value is None else f"{value:.0%}"
