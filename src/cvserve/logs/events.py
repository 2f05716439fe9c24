"""The server's own events on stderr, by loguru."""

import logging
import sys
import threading
import time

from loguru import logger

_EVENT_FORMAT = "<dim>{time:YYYY-MM-DD HH:mm:ss}</dim> <level>{level: <7}</level> {message}"
REPEAT_S = 10.0


def configure_events() -> None:
    """Print the server's own events, uvicorn's included, on stderr; for a process that runs nothing but cvserve."""
    logger.remove()
    logger.add(sys.stderr, format=_EVENT_FORMAT, level="INFO", backtrace=False, diagnose=False)
    logging.basicConfig(handlers=[_ToLoguru()], level=logging.WARNING, force=True)


class Seldom:
    """Says the same thing at most once in a while, as one cause (a full disk) can be met by each request.

    What was left out is counted, and the next line of its kind says how much that was. Any thread may call it.

    Args:
        every_s: least time between two lines of a kind.
    """

    def __init__(self, every_s: float = REPEAT_S) -> None:
        self._every_s = every_s
        self._lock = threading.Lock()
        self._kinds: dict[str, tuple[float, int]] = {}  # when it was said last, and how often not since then

    def log(self, kind: str, level: str, message: str, *arguments: object) -> None:
        """Log an event, unless one of its kind was logged a moment ago.

        Args:
            kind: what makes two events the same; one of a few words of ours, never a client's text.
            level: as loguru calls it, e.g. `WARNING`.
            message: with `{}` for each of the arguments.
            *arguments: of this event.
        """
        now = time.monotonic()
        with self._lock:
            said_at, left_out = self._kinds.get(kind, (0.0, 0))
            if said_at and now - said_at < self._every_s:
                self._kinds[kind] = (said_at, left_out + 1)
                return
            self._kinds[kind] = (now, 0)
        more = f" (and {left_out} more of this kind since {now - said_at:.0f} s ago)" if left_out else ""
        logger.opt(depth=1).log(level, message + "{}", *arguments, more)


_seldom = Seldom()
log_seldom = _seldom.log


class _ToLoguru(logging.Handler):
    """A handler of the standard library's logging that passes records on to loguru."""

    def emit(self, record: logging.LogRecord) -> None:
        logger.opt(exception=record.exc_info).log(record.levelname, "{}", record.getMessage())
