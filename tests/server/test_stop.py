"""A real server is stopped again and again under load: no request that was sent in time goes unanswered."""

import contextlib
import os
import random
import signal
import socket
import threading
import time
from collections.abc import Callable

import pytest

from support.process import ServerProcess
from support.raw import RawConnection

Start = Callable[..., ServerProcess]
IS_LONG = bool(os.environ.get("CVSERVE_TEST_LONG"))
STOPS = int(os.environ.get("CVSERVE_TEST_STOPS", "200")) if IS_LONG else 5
TOKEN = "a-token-for-the-stops"
KEPT, SILENT, NEW = 8, 8, 4
# A request that is sent after the server has closed its end is the client's loss; until then the server must answer.
LAST_REQUEST_S = 2.0


class Load:
    """Clients of three kinds, and what became of their requests.

    Attributes:
        answered: requests with an answer.
        lost: what became of those that had none, though they were sent in time.
    """

    def __init__(self, url: str, photo: bytes) -> None:
        self._url, self._photo = url, photo
        self._stopped = threading.Event()
        self.signalled_at = float("inf")
        self.answered = 0
        self.lost: list[str] = []
        self._lock = threading.Lock()
        kinds = [self._ask_again] * KEPT + [self._speak_late] * SILENT + [self._come_anew] * NEW
        self._threads = [threading.Thread(target=kind) for kind in kinds]
        self.begun = threading.Barrier(len(kinds) + 1)

    def start(self) -> None:
        for thread in self._threads:
            thread.start()
        self.begun.wait(timeout=30)

    def stop(self, server: ServerProcess) -> int:
        """Signal the server, and wait for everybody."""
        self.signalled_at = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        self._stopped.set()
        for thread in self._threads:
            thread.join()
        return server.ended()

    def _ask(self, raw: RawConnection, kind: str) -> bool:
        """Send one request; True if the connection may have another."""
        sent_at = time.monotonic()
        raw.request("POST", "/predict", "Content-Type: image/jpeg", token=TOKEN, body=self._photo)
        try:
            answer = raw.answer()
        except (AssertionError, OSError) as error:
            if sent_at - self.signalled_at < LAST_REQUEST_S:
                with self._lock:
                    self.lost.append(f"{kind}, {sent_at - self.signalled_at:.4f} s after the signal: {error!r}")
            return False
        with self._lock:
            self.answered += 1
        return answer.status == 200 and answer.headers.get("connection") != "close"

    def _ask_again(self) -> None:
        """One connection for all requests, until it is closed."""
        with RawConnection(self._url) as raw:
            self._ask(raw, "kept")
            self.begun.wait(timeout=30)
            while self._ask(raw, "kept"):
                pass

    def _speak_late(self) -> None:
        """A connection on which nothing is sent before the signal."""
        with RawConnection(self._url) as raw:
            self.begun.wait(timeout=30)
            self._stopped.wait(timeout=30)
            threading.Event().wait(random.uniform(0, LAST_REQUEST_S - 0.5))
            self._ask(raw, "silent")

    def _come_anew(self) -> None:
        """A connection for each request, until none is accepted."""
        self.begun.wait(timeout=30)
        while True:
            try:
                raw = RawConnection(self._url)
            except ConnectionRefusedError:
                return
            with raw:
                self._ask(raw, "new")


@pytest.mark.slow
def test_nothing_that_was_sent_in_time_is_lost(server_process: Start, photo: bytes) -> None:
    answered = 0
    for _ in range(STOPS):
        server = server_process(CVSERVE_TOKEN=TOKEN, CVSERVE_DURABILITY="normal")
        load = Load(server.url, photo)
        load.start()
        threading.Event().wait(random.uniform(0, 0.2))
        assert load.stop(server) == 0
        assert load.lost == []
        answered += load.answered
    assert answered > STOPS * (KEPT + SILENT)


def test_kept_connections_are_closed_without_a_reset_and_the_stop_is_quick(server_process: Start) -> None:
    server = server_process("--workers", "1", CVSERVE_TOKEN=TOKEN)
    with contextlib.ExitStack() as stack:
        kept = [stack.enter_context(RawConnection(server.url)) for _ in range(5)]
        for raw in kept[:3]:
            assert raw.request("GET", "/livez", token=TOKEN).answer().status == 200
        begin = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert [raw.read(1) for raw in kept] == [b""] * 5  # a reset would raise
        assert time.monotonic() - begin > LAST_REQUEST_S
        assert server.ended() == 0


def test_readiness_ends_with_the_signal(server_process: Start) -> None:
    server = server_process("--workers", "1", CVSERVE_TOKEN=TOKEN)
    with RawConnection(server.url) as raw, RawConnection(server.url) as silent:
        assert raw.request("GET", "/readyz", token=TOKEN).answer().status == 200
        server.process.send_signal(signal.SIGTERM)
        server_ends_its_listener(server)
        ready = silent.request("GET", "/readyz", token=TOKEN).answer()
        live = raw.request("GET", "/livez", token=TOKEN).answer()
    assert (ready.status, live.status) == (503, 200)
    assert {ready.headers["connection"], live.headers["connection"]} == {"close"}
    assert server.ended() == 0


def server_ends_its_listener(server: ServerProcess) -> None:
    port = int(server.url.rpartition(":")[2])
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=0.2).close()
        except OSError:
            return
