"""A progress bar on stderr for long work; nothing where nobody looks."""

import contextlib
import sys
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def progress(total: int, *, shown: bool) -> Iterator[Callable[[int], None]]:
    """Gives a function to call with the number of things that were done.

    Args:
        total: things to do.
        shown: whether it is long enough for a bar; on no terminal there is none in any case.
    """
    if not shown or not sys.stderr.isatty():
        yield lambda _done: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    from cvserve.commands.terminal.output import console

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # Rich would send what is printed meanwhile to its own console: results belong on stdout.
    with Progress(*columns, console=console(stderr=True), redirect_stdout=False, redirect_stderr=False) as bars:
        task = bars.add_task("", total=total)
        yield lambda done: bars.advance(task, done)
