"""Gives memory back to the system when a load has gone.

What Python frees goes back to the C library, which keeps it for later: a server that once held 256 MiB of uploads would
look as large for ever. `malloc_trim` makes it let go, for some milliseconds of the event loop. So that is done when a
load has ended and never in the middle of one, where the memory is about to be used again.
"""

import ctypes
import gc
from collections.abc import Callable

from cvserve.server.byte_budget import ByteBudget

# A load is what has had more bytes than this in flight at once; it has gone when less than half of this is left. What a
# smaller one leaves behind is not worth the milliseconds.
_WORTH_BYTES = 16 * 1024**2
# Memory is given back right behind a load, and once more so many calls of `tidy` later, two and a half seconds where
# the sweep calls it. By then its connections are mostly closed. What they hold lies between the bodies that were freed,
# and the C library can only give back whole pages.
_TIMES = 2
_PAUSE_CALLS = 5


class MemoryReturn:
    """Watches how many bytes are in flight, and has those given back that a load has left behind.

    Args:
        budget: counts them.
        give_back: does it; default: that of this system.
    """

    def __init__(self, budget: ByteBudget, give_back: "Callable[[], None] | None" = None) -> None:
        self._budget = budget
        self._give_back = give_back or _find_trim()
        self._calls_left = 0

    def tidy(self) -> bool:
        """Give memory back if a load has gone; to be called again and again, as long as this returns True."""
        budget = self._budget
        if budget.peak_bytes >= _WORTH_BYTES and budget.used_bytes * 2 < _WORTH_BYTES:
            budget.peak_bytes = 0
            self._calls_left = 1 + (_TIMES - 1) * _PAUSE_CALLS
        if self._calls_left:
            self._calls_left -= 1
            if self._calls_left % _PAUSE_CALLS == 0:
                gc.collect()
                self._give_back()
        return self._calls_left > 0 or budget.peak_bytes >= _WORTH_BYTES


def _find_trim() -> Callable[[], None]:
    """Glibc's `malloc_trim`; elsewhere nothing is done, as other libraries give back by themselves."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # not glibc
        return lambda: None
    return lambda: trim(ctypes.c_size_t(0))
