"""How processes of the engine end: with the process that made them, and by no signal that the whole group gets."""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # prctl(2)


def die_with_parent(parent: int) -> None:
    """Let the kernel end this process when its parent ends, however that happens.

    Elsewhere than on Linux, the end of the connection is the only sign.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before we asked
            os._exit(1)


def ignore_stop_signals() -> None:
    """Ignore what Ctrl-C and service managers send to the whole group: the front alone decides when workers end."""
    for number in (
        signal.SIGINT,
        signal.SIGTERM,
        signal.SIGQUIT,
        signal.SIGHUP,
        signal.SIGUSR1,
        signal.SIGUSR2,
    ):
        signal.signal(number, signal.SIG_IGN)
