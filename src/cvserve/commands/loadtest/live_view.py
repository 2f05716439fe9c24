"""A running load test on a terminal, drawn by Rich."""

import contextlib
import time
from collections import deque
from collections.abc import Iterator
from typing import Any, Self

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cvserve.commands.terminal.output import make_console
from cvserve.loadtest.report.format import DASH, PHASES, format_number
from cvserve.loadtest.samples import Window

_BARS = "▁▂▃▄▅▆▇█"
_CHART_CELLS = 48


class LiveView:
    """The last second as a table, and the throughput of the seconds before it as a chart.

    Args:
        title: above both.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        self._begin = time.monotonic()
        self._rates: deque[float] = deque(maxlen=_CHART_CELLS)
        self._failures = 0
        self._last: tuple[str, Window] | None = None

    @contextlib.contextmanager
    def show(self) -> Iterator[Self]:
        """Keep it on the terminal while a `with` block runs."""
        with Live(self, console=make_console(stderr=True), refresh_per_second=4, transient=True, redirect_stdout=False):
            yield self

    def add_window(self, phase: str, window: Window) -> None:
        """Show another second."""
        self._rates.append(window.rps)
        self._failures += window.failed
        self._last = (phase, window)

    def __rich__(self) -> Any:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=True, header_style="dim")
        names = ("elapsed", "load", "users", "requests/s", "p50 ms", "p95 ms", "p99 ms", "failures")
        for name in names:
            table.add_column(name, justify="right", min_width=len(name))
        elapsed = f"{time.monotonic() - self._begin:.0f} s"
        if self._last is None:
            table.add_row(elapsed, *(DASH for _ in names[1:]))
        else:
            phase, window = self._last
            found = window.latencies.percentiles_ms([50, 95, 99])
            times = (format_number(found[percent]) for percent in (50, 95, 99))
            table.add_row(
                elapsed, PHASES[phase], str(window.users), format_number(window.rps), *times, f"{self._failures:,}"
            )
        return Group(Text(self._title, style="bold"), table, Text(self._chart(), style="cyan"))

    def _chart(self) -> str:
        most = max(self._rates, default=0.0) or 1.0
        return "".join(_BARS[min(7, int(8 * rate / most))] for rate in self._rates)
