"""A listening socket that takes no new handshakes still gives what it has, and refuses after its end."""

import contextlib
import errno
import select
import socket
import sys

import pytest

from cvserve.server.run import bind
from cvserve.server.transport.handshakes import stop_new_handshakes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the filter is Linux's")


def test_no_connection_is_made_any_more_and_those_that_are_work() -> None:
    with contextlib.closing(bind("127.0.0.1", 0)) as listening:
        address = listening.getsockname()
        with socket.create_connection(address) as before, socket.socket() as late:
            assert stop_new_handshakes(listening)
            late.setblocking(False)
            with pytest.raises(BlockingIOError):
                late.connect(address)
            accepted, _ = listening.accept()
            before.sendall(b"hello")
            assert accepted.recv(100) == b"hello"
            with pytest.raises(BlockingIOError):
                listening.accept()
            accepted.close()
            listening.close()
            assert select.select([], [late], [], 30)[1]  # the kernel has tried once more
            assert late.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED
