"""What signals mean to a server, and handlers that are given back afterwards."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from types import FrameType

# SIGQUIT is what Ctrl-\\ sends, and what nginx and uWSGI take for a graceful stop.
STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT)
# SIGHUP is what logrotate is mostly told to send, and SIGUSR1 what it sends to nginx and gunicorn.
REOPEN = (signal.SIGHUP, signal.SIGUSR1)
IGNORED = (signal.SIGUSR2,)
_BASE_EXIT_CODE = 128  # a shell's exit code of what a signal has ended, plus the signal's number

Handler = Callable[[int, FrameType | None], object] | signal.Handlers


@contextlib.contextmanager
def handle_signals(handlers: Mapping[signal.Signals, Handler]) -> Iterator[None]:
    """Handle signals for a while; then whoever handled them before does so again.

    Python lets only the main thread say who handles a signal: in another one nothing happens.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_at_once(number: int, _frame: FrameType | None) -> None:
    """End the process while it starts: nothing was accepted that could be finished."""
    raise SystemExit(exit_code_of(number))


def exit_code_of(number: int) -> int:
    """Return the exit code of a process that a signal has ended before its time: 130 for Ctrl-C, 143 for SIGTERM."""
    return _BASE_EXIT_CODE + number


class Terminal:
    """The terminal that the process was started on, if there is one, to tell when it has been closed."""

    def __init__(self) -> None:
        self._descriptors = [descriptor for descriptor in (0, 1, 2) if os.isatty(descriptor)]

    @property
    def is_there(self) -> bool:
        """Whether the process was started on a terminal."""
        return bool(self._descriptors)

    @property
    def is_gone(self) -> bool:
        """Whether there was one, and its window was closed or its line cut."""
        return self.is_there and not any(os.isatty(descriptor) for descriptor in self._descriptors)
