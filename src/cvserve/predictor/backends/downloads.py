"""Nothing is downloaded: while a library makes a model, whoever asks for another machine is told no.

Factories of torchvision and timm fetch pretrained weights when their arguments say so. Which weights are served would
then depend on a web page and not on the files of this machine.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cvserve.predictor.models.fault import ModelFault

_lock = threading.RLock()  # the functions are replaced for the whole process
_MAX_SHOWN = 80


@contextmanager
def refuse_downloads() -> Iterator[None]:
    """Let this thread, and those that it starts, reach no other machine.

    Raises:
        ModelFault: one was asked for, and the code inside failed without it.
    """
    asked: list[str] = []
    apart = {thread.ident for thread in threading.enumerate()} - {threading.get_ident()}
    find, connect = socket.getaddrinfo, socket.socket.connect

    def refuse_finding(host: Any, *arguments: Any, **options: Any) -> Any:
        if threading.get_ident() in apart:
            return find(host, *arguments, **options)
        asked.append(host.decode("ascii", "replace") if isinstance(host, bytes) else str(host))
        raise OSError("cvserve downloads nothing")

    def refuse_connection(self: socket.socket, address: Any) -> None:
        if threading.get_ident() in apart or self.family not in (socket.AF_INET, socket.AF_INET6):
            return connect(self, address)
        asked.append(str(address[0]))
        raise OSError("cvserve downloads nothing")

    with _lock:
        socket.getaddrinfo = refuse_finding
        socket.socket.connect = refuse_connection  # type: ignore[method-assign, assignment]
        try:
            yield
        except Exception:
            if asked:
                raise _say_what_was_asked(asked[0]) from None
            raise
        finally:
            socket.getaddrinfo = find
            socket.socket.connect = connect  # type: ignore[method-assign]


def _say_what_was_asked(host: str) -> ModelFault:
    return ModelFault(
        f"would download from {host[:_MAX_SHOWN]}, and nothing is downloaded; leave out what asks for it in [model] "
        "args, such as weights or pretrained, and name a file that is here: --weights best.pth"
    )
