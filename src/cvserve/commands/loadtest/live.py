"""What a load test shows while it runs: a small table and a chart on a terminal, a line a load elsewhere."""

import contextlib
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from cvserve.commands.terminal.output import make_console, say
from cvserve.loadtest.plan import Plan
from cvserve.loadtest.report.page import PHASES
from cvserve.loadtest.report.verdict import number

if TYPE_CHECKING:
    from cvserve.loadtest.samples import Window
    from cvserve.loadtest.target import Target

_BARS = "▁▂▃▄▅▆▇█"
_CHART_CELLS = 48
OnWindow = Callable[[str, "Window"], None]


@contextlib.contextmanager
def live(plan: Plan, target: "Target") -> Iterator[OnWindow]:
    """Gives a function that hears of each second."""
    where = "its own server" if target.is_own else target.url
    what = "looking for the capacity of" if plan.find_capacity else "loading"
    if not sys.stderr.isatty():
        say(f"Now {what} {where} …")
        yield _Lines()
        return
    from rich.live import Live

    view = _View(f"{what} {where}  (Ctrl-C stops it, with a report of what there is)")
    with Live(view, console=make_console(stderr=True), refresh_per_second=4, transient=True, redirect_stdout=False):
        yield view.hear


class _Lines:
    """A line whenever the load changes."""

    def __init__(self) -> None:
        self._last: tuple[str, int] | None = None

    def __call__(self, phase: str, window: "Window") -> None:
        if self._last != (phase, window.users) and window.users:
            self._last = (phase, window.users)
            p95 = window.latencies.percentile_ms(95)
            say(f"{PHASES[phase]:11}  {window.users} users  {number(window.rps)} requests/s  p95 {number(p95)} ms")


class _View:
    """The last second, and how it came to it."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._begin = time.monotonic()
        self._rates: deque[float] = deque(maxlen=_CHART_CELLS)
        self._failures = 0
        self._last: tuple[str, Window] | None = None

    def hear(self, phase: str, window: "Window") -> None:
        """Take a second in."""
        self._rates.append(window.rps)
        self._failures += window.failed
        self._last = (phase, window)

    def __rich__(self) -> Any:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=True, header_style="dim")
        names = ("elapsed", "load", "users", "requests/s", "p50 ms", "p95 ms", "p99 ms", "failures")
        for name in names:
            table.add_column(name, justify="right", min_width=len(name))
        elapsed = f"{time.monotonic() - self._begin:.0f} s"
        if self._last is None:
            table.add_row(elapsed, *("–" for _ in names[1:]))
        else:
            phase, window = self._last
            found = window.latencies.percentiles_ms([50, 95, 99])
            times = (number(found[percent]) for percent in (50, 95, 99))
            table.add_row(elapsed, PHASES[phase], str(window.users), number(window.rps), *times, f"{self._failures:,}")
        return Group(Text(self._title, style="bold"), table, Text(self._chart(), style="cyan"))

    def _chart(self) -> str:
        most = max(self._rates, default=0.0) or 1.0
        return "".join(_BARS[min(7, int(8 * rate / most))] for rate in self._rates)
