"""Accepts connections: many in one turn of the event loop, so that busy connections never keep new ones waiting.

uvloop's own server accepts one connection a turn (libuv/libuv#3696). A turn in which hundreds of connections are busy
takes tens of milliseconds, so new ones would wait for seconds, a liveness probe among them.
"""

import asyncio
import contextlib
import errno
import os
import resource
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable

from loguru import logger

from cvserve.server.transport.handshakes import stop_new_handshakes

MAX_CONNECTIONS = 10_000
HANDSHAKE_TIMEOUT_S = 10.0
# In one turn of the loop: as many as leave turns short, since whoever is served already waits a few turns.
_FEWEST_A_TURN, _MOST_A_TURN = 4, 64
_LONG_TURN_S = 0.005
# Descriptors that are kept for workers that are replaced and for files that SQLite opens.
_SPARE_DESCRIPTORS = 16
_MAX_DESCRIPTORS = 65_536
_MIN_CONNECTIONS = 8
# Without a free descriptor nothing can be accepted, and a listener that is asked again at once is a busy loop.
_NO_DESCRIPTOR = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_PAUSE_S = 0.1
# A refused connection stays open so long, so that its client reads why; more of them than this do not.
_LINGER_S, _MAX_LINGERING = 1.0, 16
# A TLS connection whose client does not answer the farewell is cut after this.
_TLS_FAREWELL_S = 2.0
# From the last new handshake to the last connection that one made: a round trip of a client that is far away.
_HANDSHAKES_END_S = 0.1


class Listener:
    """Accepts on one listening socket until it is closed. Lives on the event loop that runs when `start` is called.

    Args:
        listening: the socket; non-blocking.
        make_protocol: makes the protocol of a connection.
        count_open: how many connections are open.
        refuse: answers one connection too many: it is given the address of the client, and returns the bytes to send.
        tls: for `https`; None for `http`.
        handshake_timeout_s: for a client's part of the TLS handshake.
        max_connections: that are open at the same time.
    """

    def __init__(
        self,
        listening: socket.socket,
        make_protocol: Callable[[], asyncio.Protocol],
        *,
        count_open: Callable[[], int],
        refuse: Callable[[str], bytes],
        tls: ssl.SSLContext | None = None,
        handshake_timeout_s: float = HANDSHAKE_TIMEOUT_S,
        max_connections: int = MAX_CONNECTIONS,
    ) -> None:
        self._listening = listening
        self._make_protocol = make_protocol
        self._count_open = count_open
        self._refuse = refuse
        self._max_connections = max_connections
        self._options: dict[str, object] = {}
        if tls is not None:
            self._options = {
                "ssl": tls,
                "ssl_handshake_timeout": handshake_timeout_s,
                "ssl_shutdown_timeout": _TLS_FAREWELL_S,
            }
        self._setting_up: set[asyncio.Task[object]] = set()
        self._lingering: deque[socket.socket] = deque()
        self._is_open = False
        self._a_turn = _MOST_A_TURN
        self._limited_at: float | None = None  # when the last turn had accepted all that it may

    @property
    def is_setting_up(self) -> bool:
        """Whether connections were accepted that have no protocol yet, or are in a TLS handshake."""
        return bool(self._setting_up)

    def start(self) -> None:
        """Begin to accept."""
        self._loop = asyncio.get_running_loop()
        self._is_open = True
        self._loop.add_reader(self._listening, self._accept_some)

    async def close(self) -> None:
        """Accept every connection that the kernel has made or is making, and no other; then close the socket.

        A socket that is closed with connections in its backlog resets them, requests that were sent on them included.
        """
        if not self._is_open:
            return
        if stop_new_handshakes(self._listening):
            await asyncio.sleep(_HANDSHAKES_END_S)
        self._is_open = False
        self._loop.remove_reader(self._listening)
        while self._accept_some():
            pass
        self._listening.close()
        while self._lingering:
            self._lingering.popleft().close()

    def _accept_some(self) -> bool:
        """Accept what waits, so many at most; False when nothing waits any more."""
        self._fit_to_turn()
        for _ in range(self._a_turn):
            try:
                connection, address = self._listening.accept()
            except (BlockingIOError, InterruptedError):
                return False
            except OSError as error:
                if error.errno in _NO_DESCRIPTOR:
                    self._pause(error)
                    return False
                continue  # that client is gone again
            connection.setblocking(False)
            if self._count_open() + len(self._setting_up) >= self._max_connections:
                self._turn_away(connection, address)
                continue
            task = self._loop.create_task(self._set_up(connection))
            self._setting_up.add(task)
            task.add_done_callback(self._setting_up.discard)
        self._limited_at = time.monotonic()
        return True

    def _fit_to_turn(self) -> None:
        """Accept fewer where the last turn was long for it, and more where it was not."""
        limited_at, self._limited_at = self._limited_at, None
        if limited_at is None:
            return
        was_long = time.monotonic() - limited_at > _LONG_TURN_S
        self._a_turn = max(_FEWEST_A_TURN, self._a_turn // 2) if was_long else min(_MOST_A_TURN, self._a_turn * 2)

    async def _set_up(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._make_protocol, connection, **self._options)  # type: ignore[arg-type]
        except (OSError, TimeoutError):  # the client is gone, speaks no TLS, or is too slow; ssl.SSLError is one
            connection.close()

    def _pause(self, error: OSError) -> None:
        """Accept nothing for a moment: descriptors become free when connections end."""
        if self._is_open:
            logger.warning("no connection can be accepted for a moment: {}", os.strerror(error.errno or 0))
            self._loop.remove_reader(self._listening)
            self._loop.call_later(_PAUSE_S, self._resume)

    def _resume(self) -> None:
        if self._is_open:
            self._loop.add_reader(self._listening, self._accept_some)

    def _turn_away(self, connection: socket.socket, address: tuple[str, int]) -> None:
        """Answer without reading; what the client has sent is dropped when the connection is closed, a second later."""
        if self._options:
            connection.close()  # before a handshake there is no way to say anything
            return
        with contextlib.suppress(OSError):
            connection.send(self._refuse(address[0]))
            connection.shutdown(socket.SHUT_WR)
        self._lingering.append(connection)
        self._loop.call_later(_LINGER_S, self._end_lingering, connection)
        if len(self._lingering) > _MAX_LINGERING:
            self._end_lingering(self._lingering[0])

    def _end_lingering(self, connection: socket.socket) -> None:
        if connection in self._lingering:
            self._lingering.remove(connection)
            connection.close()


def find_max_connections() -> int:
    """How many connections this process can hold: `MAX_CONNECTIONS`, or what its limit of descriptors leaves.

    A low soft limit is raised first, as far as the hard one allows.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _MAX_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    if soft == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    in_use = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else _SPARE_DESCRIPTORS
    return max(_MIN_CONNECTIONS, min(MAX_CONNECTIONS, soft - in_use - _SPARE_DESCRIPTORS))
