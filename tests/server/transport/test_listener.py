"""Connections are accepted fairly, up to a limit, and none that the kernel has made is reset by the end."""

import asyncio
import contextlib
import os
import re
import resource
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop

from cvserve.server.run import bind
from cvserve.server.transport.listener import Listener
from support.answers import assert_problem
from support.process import ServerProcess
from support.raw import RawConnection
from support.waiting import wait_until

Start = Callable[..., ServerProcess]
BURST = 300
TOKEN = "a-token-for-the-listener"
LOW_LIMIT = ("bash", "-c", 'ulimit -n 64; exec "$@"', "bash")


class Counted(asyncio.Protocol):
    """Counts connections, and answers whatever comes."""

    made = lost = 0

    def connection_made(self, transport: Any) -> None:
        Counted.made += 1
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(data.upper())

    def connection_lost(self, error: Exception | None) -> None:
        Counted.lost += 1


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """A socket that listens, and counters that begin at 0."""
    Counted.made = Counted.lost = 0
    with contextlib.closing(bind("127.0.0.1", 0)) as opened:
        yield opened


def make_listener(listening: socket.socket, **options: object) -> Listener:
    options.setdefault("count_open", lambda: Counted.made - Counted.lost)
    return Listener(listening, Counted, refuse=lambda client: b"full", **options)  # type: ignore[arg-type]


def connect(listening: socket.socket) -> socket.socket:
    return socket.create_connection(listening.getsockname(), timeout=30)


async def end(listener: Listener, *clients: socket.socket) -> None:
    """Close everything; a transport that is left open at the end of its loop is a warning."""
    for client in clients:
        client.close()
    while Counted.lost < Counted.made:  # noqa: ASYNC110 - a turn of the loop is what is waited for
        await asyncio.sleep(0)
    await listener.close()


async def receive(client: socket.socket) -> bytes:
    return await asyncio.get_running_loop().run_in_executor(None, client.recv, 100)


def test_burst_is_accepted_in_a_few_turns_of_the_loop(listening: socket.socket) -> None:
    clients = [connect(listening) for _ in range(BURST)]

    async def count_turns() -> int:
        listener = make_listener(listening)
        listener.start()
        turns = 0
        while Counted.made < BURST and turns < BURST:
            await asyncio.sleep(0)  # what busy connections do in a turn takes tens of milliseconds
            turns += 1
        await end(listener, *clients)
        return turns

    assert uvloop.run(count_turns()) < BURST // 10


def test_close_accepts_all_that_the_kernel_has_and_answers_what_they_send(listening: socket.socket) -> None:
    address = listening.getsockname()
    waiting = [connect(listening) for _ in range(20)]
    waiting[0].sendall(b"hello")

    async def close() -> list[bytes]:
        listener = make_listener(listening)
        listener.start()
        await listener.close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, timeout=5)
        waiting[1].sendall(b"after it")
        answers = [await receive(client) for client in waiting[:2]]
        await end(listener, *waiting)
        return answers

    assert uvloop.run(close()) == [b"HELLO", b"AFTER IT"]
    assert Counted.made == len(waiting)


def test_connection_too_many_is_told_so_and_the_next_finds_room(listening: socket.socket) -> None:
    async def fill() -> None:
        listener = make_listener(listening, max_connections=2)
        listener.start()
        first, second, refused = (connect(listening) for _ in range(3))
        refused.sendall(b"a request that is not read")
        assert [await receive(refused) for _ in range(2)] == [b"full", b""]
        first.close()
        while not Counted.lost:  # noqa: ASYNC110
            await asyncio.sleep(0)
        third = connect(listening)
        third.sendall(b"room")
        assert await receive(third) == b"ROOM"
        await end(listener, second, third, refused)

    uvloop.run(fill())


def test_tls_client_that_says_nothing_is_disconnected(listening: socket.socket, home: Path) -> None:
    command = "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -subj /CN=models.example"
    subprocess.run(command.split(), cwd=home, check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(home / "cert.pem", home / "key.pem")

    async def listen() -> None:
        listener = make_listener(listening, tls=tls, handshake_timeout_s=0.2)
        listener.start()
        with connect(listening) as silent:
            assert await receive(silent) == b""
        await listener.close()

    uvloop.run(listen())


def test_full_table_of_descriptors_pauses_accepting_and_passes(server_process: Start) -> None:
    server = server_process("--public-health", CVSERVE_TOKEN=TOKEN)
    pid = server.process.pid
    highest = max(map(int, os.listdir(f"/proc/{pid}/fd")))
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (highest + 3, limits[1]))
    held = [RawConnection(server.url) for _ in range(20)]
    server.wait_for(re.compile("no connection can be accepted for a moment"))
    for raw in held:
        raw.close()
    with server.client() as client:
        assert client.get("/livez").status_code == 200
    assert server.stderr.count("no connection can be accepted") < 20  # it is no busy loop
    resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)


def test_server_that_may_open_few_files_refuses_in_words_what_it_cannot_hold(server_process: Start) -> None:
    server = server_process("--workers", "1", wrapper=LOW_LIMIT, CVSERVE_TOKEN=TOKEN)
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(RawConnection(server.url)) for _ in range(100)]
        problem = assert_problem(held[-1].answer(), "overloaded")
        assert "connections" in problem["detail"]
        assert held[0].request("GET", "/livez", token=TOKEN).answer().status == 200
    wait_until(lambda: asks(server) == 200)
    with server.client() as client:
        page = client.get("/metrics").text
    assert float(re.findall(r'cvserve_rejected_total\{reason="connections"\} (\S+)', page)[0]) > 0
    assert any(line.split(" | ")[4] == "503" for line in server.log_lines())


def asks(server: ServerProcess) -> int:
    with server.client() as client, contextlib.suppress(OSError):
        return client.get("/livez").status_code
    return 0
