"""A progress bar on stderr for long work; nothing where nobody looks."""

import contextlib
import sys
from collections.abc import Callable, Iterator

from cvserve.commands.terminal.output import make_console


@contextlib.contextmanager
def show_progress(total: int, *, is_long: bool) -> Iterator[Callable[[int], None]]:
    """Show a bar while the block runs; inside, call what it gives with the number of things that were just done.

    Args:
        total: things to do.
        is_long: whether the work takes long enough for a bar. When stderr is no terminal, there is none anyway.
    """
    if not is_long or not sys.stderr.isatty():
        yield lambda _done: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # Rich would send what is printed meanwhile to its own console: results belong on stdout.
    with Progress(*columns, console=make_console(stderr=True), redirect_stdout=False, redirect_stderr=False) as bars:
        task = bars.add_task("", total=total)
        yield lambda done: bars.advance(task, done)
