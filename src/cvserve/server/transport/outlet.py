"""A connection's transport as uvicorn sees it: what leaves is counted, and what is closed can still be heard."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable

# SO_LINGER of zero seconds: what the kernel still holds is dropped, and the client sees a reset and no orderly end.
_RESET = struct.pack("ii", 1, 0)


class Outlet:
    """In place of a transport.

    A server that closes a connection while the client still sends makes the kernel answer with a reset, and a reset
    takes the answer away that the client has not read yet. So `close` can be told to end one direction only; what comes
    after that is read and dropped for a while (RFC 9112 section 9.6).

    Args:
        transport: the real one.
        must_linger: tells whether something may still come.
        begin_lingering: called when the connection stays open for a while after its close.

    Attributes:
        is_lingering: closed, but for dropping what comes.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        must_linger: Callable[[], bool],
        begin_lingering: Callable[[], None],
    ) -> None:
        self._transport = transport
        self._write = transport.write
        self._must_linger = must_linger
        self._begin_lingering = begin_lingering
        self._written_bytes = 0
        self.is_lingering = False

    def write(self, data: bytes) -> None:
        """Send bytes, as soon as the client takes them."""
        self._written_bytes += len(data)
        self._write(data)

    def is_closing(self) -> bool:
        """Whether nothing more can be written."""
        return self.is_lingering or self._transport.is_closing()

    def close(self) -> None:
        """Send what is written, then end the connection; called once more: end it now."""
        if self.is_lingering or self._transport.is_closing() or not self._must_linger():
            self.finish()
            return
        self.is_lingering = True
        if self._transport.can_write_eof():  # not by TLS: there the client ends it when it has read the answer
            self._transport.write_eof()
        self._begin_lingering()

    def finish(self) -> None:
        """Send what is written, then end the connection without waiting for anything more from the client."""
        self._transport.close()

    def reset(self) -> None:
        """End it at once, so that the client cannot take what it has got for all."""
        held = self._transport.get_extra_info("socket")
        if held is not None:
            with contextlib.suppress(OSError):  # it is gone already
                held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._transport.abort()

    def count_waiting_bytes(self) -> int:
        """Bytes that the client has not taken yet, beside those that the kernel holds."""
        return self._transport.get_write_buffer_size()

    def count_taken_bytes(self) -> int:
        """Bytes that have left for good."""
        return self._written_bytes - self._transport.get_write_buffer_size()
