"""Gives memory back to the system when a load has gone: the C library keeps what was freed for later."""

import ctypes
import gc
from collections.abc import Callable

from cvserve.server.byte_budget import ByteBudget

# Less is not worth the milliseconds.
_WORTH_BYTES = 16 * 1024**2
# Right behind a load, and once more when its connections are likely to be closed: they lie between what it has left.
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
