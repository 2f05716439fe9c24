"""The report as one HTML file: no script, nothing from the network, light and dark, wide and narrow."""

from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from typing import Any

from cvserve.loadtest.report.charts import chart_distribution, chart_load, chart_time
from cvserve.loadtest.report.document import Report
from cvserve.loadtest.report.format import DASH, PHASES, format_number, format_share, format_whole
from cvserve.loadtest.report.plot import Chart, draw_svg

_WIDE, _NARROW = (640, 280), (360, 260)
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


def render_page(report: Report) -> str:
    """Render a report as one HTML document; every text in it that came from elsewhere is escaped."""
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
        _charts("Over the load", chart_load(report)),
        _charts("Over time", chart_time(report)),
        _charts("Distribution of the measured latencies", chart_distribution(report)),
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
        "capacity, requests/s": format_number(report["capacity_rps"]),
        "knee, users": format_whole(report["knee_users"]),
        "limited by": report["limited_by"] or DASH,
        "measured, requests/s": format_number(report["rps"]),
        "p50, ms": format_number(report["p50_ms"]),
        "p95, ms": format_number(report["p95_ms"]),
        "p99, ms": format_number(report["p99_ms"]),
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
        f'<div><div class="wide">{draw_svg(chart, *_WIDE)}</div>'
        f'<div class="narrow">{draw_svg(chart, *_NARROW)}</div></div>'
        for chart in charts
    )
    return f'<h2>{escape(title)}</h2><div class="charts">{both}</div>'


def _loads(report: Report) -> str:
    rows = [(("main" if step["phase"] in ("hold", "load") else ""), make_load_cells(step)) for step in report["steps"]]
    return f"<h2>Loads</h2>{_table(_HEAD, rows)}" if rows else ""


def make_load_cells(step: dict[str, Any]) -> tuple[str, ...]:
    """Write a load of a report as the cells of one row, in the order of the columns of the table of loads."""
    return (
        PHASES[step["phase"]],
        str(step["users"]),
        format_number(step["rate"]),
        format_number(step["seconds"]),
        format_number(step["rps"]),
        format_number(step["p50_ms"]),
        format_number(step["p95_ms"]),
        format_number(step["p99_ms"]),
        str(step["failures"]),
        format_share(step["client_busy"]),
        format_share(step["server_busy"]),
    )


def _failures(report: Report) -> str:
    if not report["reasons"]:
        return "<h2>Failures</h2><p>None.</p>"
    rows = [("", (entry["request"], entry["reason"], f"{entry['count']:,}")) for entry in report["reasons"]]
    return f"<h2>Failures</h2>{_table(('request', 'reason', 'count'), rows, 'words')}"


def _facts(title: str, facts: dict[str, Any]) -> str:
    shown = "".join(
        f"<dt>{escape(name.replace('_', ' '))}</dt><dd>{escape(DASH if value in (None, '') else str(value))}</dd>"
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
