"""Line charts as inline SVG: axes, ticks, lines, bands; colours are CSS classes, so light and dark are one drawing."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 14, 30, 38
_TICK_PX = 90


@dataclass(frozen=True)
class Series:
    """One line of a chart.

    Attributes:
        name: in the legend.
        points: x and y, by x; a y of None is a gap.
        colour: `c1`, `c2` or `c3`.
        has_dots: whether each point is marked.
    """

    name: str
    points: Sequence[tuple[float, float | None]]
    colour: str
    has_dots: bool = False


@dataclass(frozen=True)
class Mark:
    """A vertical line at an x, with a word beside it."""

    x: float
    word: str


@dataclass(frozen=True)
class Chart:
    """A line chart: what is drawn, before anybody knows its size.

    Attributes:
        title: above it, with the unit.
        x_title: below it.
        series: lines.
        marks: vertical lines.
        limit: a horizontal line with a word, such as an SLO.
        is_log: whether x doubles from tick to tick.
    """

    title: str
    x_title: str
    series: Sequence[Series]
    marks: Sequence[Mark] = ()
    limit: tuple[float, str] | None = None
    is_log: bool = False


def draw_svg(chart: Chart, width: int, height: int) -> str:
    """Draw a chart as one SVG element of a page, so many pixels wide and high."""
    inside = draw_panel(chart, width, height)
    label = escape(f"{chart.title}, by {chart.x_title}", quote=True)
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{label}">{inside}</svg>'


def draw_panel(chart: Chart, width: int, height: int, top: int = 0) -> str:
    """Draw a chart as a group that can stand in any SVG element.

    Args:
        chart: what to draw; without points only its title is drawn.
        width: in pixels.
        height: in pixels.
        top: how far below the top of the element it begins, in pixels.
    """
    xs = [x for series in chart.series for x, _ in series.points]
    ys = [y for series in chart.series for _, y in series.points if y is not None]
    if not ys:
        return (
            f'<g transform="translate(0 {top})"><text class="t" x="{_LEFT}" y="18">{escape(chart.title)}: –</text></g>'
        )
    if chart.limit:
        ys.append(chart.limit[0])
    x_ticks = _doublings(xs) if chart.is_log else _ticks(min(xs) if min(xs) > max(xs) / 2 else 0, max(xs), width)
    y_ticks = _ticks(0, max(ys), height * 2)
    to_x = _Scale(_x(x_ticks[0], chart), _x(max(x_ticks[-1], *xs), chart), _LEFT, width - _RIGHT)
    to_y = _Scale(y_ticks[0], y_ticks[-1], height - _BOTTOM, _TOP)
    parts = [f'<g transform="translate(0 {top})"><text class="t" x="{_LEFT}" y="16">{escape(chart.title)}</text>']
    parts += _axes(chart, x_ticks, y_ticks, to_x, to_y, width, height)
    for number, mark in enumerate(chart.marks):
        at = to_x(_x(mark.x, chart))
        anchor, beside = ("end", at - 4) if at > width - 90 else ("start", at + 4)
        y = _TOP + 11 + 14 * number
        parts.append(f'<path class="m" d="M{at:.1f} {_TOP}V{height - _BOTTOM}"/>')
        parts.append(f'<text class="k" x="{beside:.1f}" y="{y}" text-anchor="{anchor}">{escape(mark.word)}</text>')
    if chart.limit:
        at = to_y(chart.limit[0])
        parts.append(f'<path class="l" d="M{_LEFT} {at:.1f}H{width - _RIGHT}"/>')
        parts.append(f'<text class="k" x="{_LEFT + 4}" y="{at - 5:.1f}">{escape(chart.limit[1])}</text>')
    for series in chart.series:
        parts += _line(series, [(to_x(_x(x, chart)), None if y is None else to_y(y)) for x, y in series.points])
    parts += _legend(chart.series, width)
    return "".join([*parts, "</g>"])


class _Scale:
    """Maps values to pixels: `low` to `begin`, `high` to `end`, linearly."""

    def __init__(self, low: float, high: float, begin: float, end: float) -> None:
        self._low, self._factor, self._begin = low, (end - begin) / ((high - low) or 1), begin

    def __call__(self, value: float) -> float:
        return self._begin + (value - self._low) * self._factor


def _axes(
    chart: Chart, x_ticks: list[float], y_ticks: list[float], to_x: _Scale, to_y: _Scale, width: int, height: int
) -> list[str]:
    parts = []
    for tick in y_ticks:
        at = to_y(tick)
        parts.append(f'<path class="g" d="M{_LEFT} {at:.1f}H{width - _RIGHT}"/>')
        parts.append(f'<text class="k" x="{_LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{_format_tick(tick)}</text>')
    for tick in x_ticks:
        at = to_x(_x(tick, chart))
        parts.append(
            f'<text class="k" x="{at:.1f}" y="{height - _BOTTOM + 16}" text-anchor="middle">{_format_tick(tick)}</text>'
        )
    parts.append(
        f'<text class="k" x="{(width + _LEFT - _RIGHT) / 2:.1f}" y="{height - 5}" text-anchor="middle">'
        f"{escape(chart.x_title)}</text>"
    )
    return parts


def _line(series: Series, points: list[tuple[float, float | None]]) -> list[str]:
    path, pen_is_down = [], False
    for x, y in points:
        if y is None:
            pen_is_down = False
            continue
        path.append(f"{'L' if pen_is_down else 'M'}{x:.1f} {y:.1f}")
        pen_is_down = True
    parts = [f'<path class="s {series.colour}" d="{"".join(path)}"/>']
    if series.has_dots:
        parts += [
            f'<circle class="d {series.colour}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>' for x, y in points if y is not None
        ]
    return parts


def _legend(series: Sequence[Series], width: int) -> list[str]:
    if len(series) < 2:
        return []
    parts, x = [], float(width - _RIGHT)
    for entry in reversed(series):
        x -= 7.2 * len(entry.name)
        parts.append(f'<text class="k" x="{x:.1f}" y="16">{escape(entry.name)}</text>')
        parts.append(f'<path class="s {entry.colour}" d="M{x - 20:.1f} 12h14"/>')
        x -= 34
    return parts


def _x(value: float, chart: Chart) -> float:
    return math.log2(max(value, 1e-9)) if chart.is_log else value


def _ticks(low: float, high: float, width: int) -> list[float]:
    """Round numbers from below the lowest to above the highest."""
    span = (high - low) or 1.0
    rough = span / max(2, width // _TICK_PX)
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough)
    first, last = math.floor(low / step), math.ceil(high / step - 1e-9)
    return [step * number for number in range(first, last + 1)]


def _doublings(xs: Sequence[float]) -> list[float]:
    low, high = max(min(xs), 1e-9), max(xs)
    first = 2 ** math.floor(math.log2(low))
    ticks = [float(first)]
    while ticks[-1] < high:
        ticks.append(ticks[-1] * 2)
    return ticks[:: max(1, math.ceil(len(ticks) / 10))]


def _format_tick(value: float) -> str:
    if value >= 10_000:
        return f"{value / 1000:g}k"
    return f"{value:g}" if abs(value - round(value)) > 1e-9 else f"{round(value)}"
