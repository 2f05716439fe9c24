"""Which charts a report has: over time, over the load, and how latencies are distributed."""

from importlib.resources import files
from typing import Any

from cvserve.loadtest.report.document import Report
from cvserve.loadtest.report.format import format_number
from cvserve.loadtest.report.plot import Chart, Mark, Series, draw_panel

_CURVE_WIDTH, _CURVE_HEIGHT = 720, 280


def chart_load(report: Report) -> list[Chart]:
    """Chart throughput and latency over the loads that a search tried; no charts for one load alone."""
    is_open = report["mode"] == "open"
    tried: dict[float, dict[str, Any]] = {}
    for step in report["steps"]:
        if step["phase"] in ("step", "hold"):
            tried[step["rate"] if is_open else step["users"]] = step
    if len(tried) < 2:
        return []
    steps = sorted(tried.items())
    x_title = "requests due a second" if is_open else "users"
    hold = report["shares"].get("100%")
    marks = [Mark(hold["rate"] if is_open else hold["users"], "capacity")] if hold else []
    slo = report["plan"]["slo_p95_ms"]
    return [
        Chart(
            "requests/s answered",
            x_title,
            [_series("requests/s", steps, "rps", "c1", has_dots=True)],
            marks,
            is_log=True,
        ),
        Chart(
            "latency, ms",
            x_title,
            [
                _series("p50", steps, "p50_ms", "c1", has_dots=True),
                _series("p95", steps, "p95_ms", "c2", has_dots=True),
            ],
            marks,
            limit=(slo, f"SLO {format_number(slo)} ms") if slo else None,
            is_log=True,
        ),
    ]


def chart_time(report: Report) -> list[Chart]:
    """Chart throughput, latency and users over the seconds of a run."""
    seconds = [(entry["second"], entry) for entry in report["timeline"] if entry["phase"] != "end"]
    lines = [_series(name, seconds, key, colour) for name, key, colour in (
        ("p50", "p50_ms", "c1"), ("p95", "p95_ms", "c2"), ("p99", "p99_ms", "c3"))]  # fmt: skip
    failed = [(second, float(entry["failures"])) for second, entry in seconds]
    rates = [_series("requests/s", seconds, "rps", "c1")]
    if any(count for _, count in failed):
        rates.append(Series("failures/s", failed, "c2"))
    return [
        Chart("requests/s answered", "seconds", rates),
        Chart("latency, ms", "seconds", lines),
        Chart("users", "seconds", [_series("users", seconds, "users", "c1")]),
    ]


def chart_distribution(report: Report) -> list[Chart]:
    """Chart which share of the measured answers came within which time, up to 99.9 %."""
    counts = report["distribution"]
    total = sum(count for _, count in counts)
    if total < 2:
        return []
    points, seen = [], 0
    for microseconds, count in counts:
        seen += count
        points.append((microseconds / 1000, 100 * seen / total))
    reach = [point for point in points if point[1] <= 99.9] or points
    marks = [Mark(report[key], word) for key, word in (("p50_ms", "p50"), ("p95_ms", "p95")) if report[key]]
    return [Chart("answers within, %", "latency, ms", [Series("answers", _thin_out(reach), "c1")], marks)]


def draw_curve(report: Report) -> str:
    """Draw throughput and latency over the load (of one load: over time) as a whole SVG file."""
    charts = chart_load(report) or chart_time(report)[:2]
    style = (files("cvserve.loadtest") / "chart.css").read_text(encoding="utf-8")
    height = _CURVE_HEIGHT * len(charts)
    panels = "".join(
        draw_panel(chart, _CURVE_WIDTH, _CURVE_HEIGHT - 10, at * _CURVE_HEIGHT) for at, chart in enumerate(charts)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_CURVE_WIDTH} {height}" width="{_CURVE_WIDTH}" '
        f'height="{height}"><style>{style}</style><rect class="paper" width="100%" height="100%"/>{panels}</svg>\n'
    )


def _series(
    name: str, entries: list[tuple[float, dict[str, Any]]], key: str, colour: str, *, has_dots: bool = False
) -> Series:
    return Series(name, [(x, entry[key]) for x, entry in entries], colour, has_dots)


def _thin_out(points: list[tuple[float, float]], most: int = 400) -> list[tuple[float, float]]:
    return points[:: max(1, len(points) // most)]
