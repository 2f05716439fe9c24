"""What a load test shows while it runs: a table and a chart on a terminal, elsewhere a line for each load."""

import contextlib
import sys
from collections.abc import Callable, Iterator

from cvserve.commands.terminal.output import say
from cvserve.loadtest.plan import Plan
from cvserve.loadtest.report.format import PHASES, format_number
from cvserve.loadtest.samples import Window
from cvserve.loadtest.target import Target

OnWindow = Callable[[str, Window], None]


@contextlib.contextmanager
def show_live(plan: Plan, target: Target) -> Iterator[OnWindow]:
    """Show a test while the block runs; inside, call what it gives with the phase and the window of each second."""
    where = "its own server" if target.is_own else target.url
    what = "looking for the capacity of" if plan.find_capacity else "loading"
    if not sys.stderr.isatty():
        say(f"Now {what} {where} …")
        yield _Lines()
        return
    from cvserve.commands.loadtest.live_view import LiveView  # Rich, which nobody needs without a terminal

    with LiveView(f"{what} {where}  (Ctrl-C stops it, with a report of what there is)").show() as view:
        yield view.add_window


class _Lines:
    """Prints a line whenever the load changes."""

    def __init__(self) -> None:
        self._last: tuple[str, int] | None = None

    def __call__(self, phase: str, window: Window) -> None:
        if self._last != (phase, window.users) and window.users:
            self._last = (phase, window.users)
            rate = format_number(window.rps)
            p95_ms = format_number(window.latencies.percentile_ms(95))
            say(f"{PHASES[phase]:11}  {window.users} users  {rate} requests/s  p95 {p95_ms} ms")
