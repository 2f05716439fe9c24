"""`cvserve health` against real servers: ready, not ready, asking for a token, behind TLS, somebody else, nobody."""

import http.server
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.command import cvserve
from support.process import ServerProcess
from support.threaded import ThreadedServer

TOKEN = "a-token-of-more-than-16-characters"


def test_ready_is_0_and_says_so(server_process: Callable[..., ServerProcess]) -> None:
    server = server_process("--public-health")
    ended = cvserve("health", "--url", server.url)
    assert (ended.code, ended.out, ended.err) == (0, "ready\n", "")


def test_asks_with_the_token_of_the_environment(server_process: Callable[..., ServerProcess]) -> None:
    server = server_process(CVSERVE_TOKEN=TOKEN)
    refused = cvserve("health", "--url", server.url)
    assert (refused.code, refused.out) == (1, "")
    assert "CVSERVE_TOKEN" in refused.err
    assert cvserve("health", "--url", server.url, CVSERVE_TOKEN=TOKEN).code == 0


def test_not_ready_is_1(threaded_server: Callable[..., ThreadedServer]) -> None:
    server = threaded_server(public_health=True)
    server.resources.lifecycle.is_draining = True
    ended = cvserve("health", "--url", server.url)
    assert (ended.code, ended.out) == (1, "not_ready\n")


def test_finds_its_own_server_behind_tls(home: Path, server_process: Callable[..., ServerProcess]) -> None:
    command = "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -subj /CN=models.example"
    subprocess.run(command.split(), cwd=home, check=True, capture_output=True)
    (home / "cvserve.toml").write_text('ssl_certfile = "cert.pem"\nssl_keyfile = "key.pem"\n', encoding="utf-8")
    server = server_process("--public-health")
    assert server.url.startswith("https://")
    port = server.url.rpartition(":")[2]
    ended = cvserve("health", PORT=port)
    assert (ended.code, ended.out, ended.err) == (0, "ready\n", "")


def test_nobody_is_1_and_one_sentence() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        ended = cvserve("health", "--url", url)
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == f"cvserve: Nobody answers at {url}; is the server running?\n"


def test_who_is_not_cvserve_is_told_apart(stranger: str) -> None:
    ended = cvserve("health", "--url", stranger)
    assert (ended.code, ended.out) == (1, "")
    assert "is not cvserve" in ended.err


@pytest.mark.parametrize("url", ["ftp://127.0.0.1", "127.0.0.1:8000", "file:///etc/passwd"])
def test_url_that_is_none_is_2(url: str) -> None:
    assert cvserve("health", "--url", url).code == 2


@pytest.mark.parametrize("answer", [b'{"status": "\\u001b[2Jready"}'])
def test_a_strangers_word_does_nothing_to_the_terminal(stranger: str) -> None:
    ended = cvserve("health", "--url", stranger)
    assert (ended.code, ended.out) == (0, "\ufffd[2Jready\n")


@pytest.fixture
def answer() -> bytes:
    return b"<h1>It works!</h1>"


@pytest.fixture
def stranger(answer: bytes) -> Iterator[str]:
    """A web server that knows nothing of cvserve and gives the same answer to everything."""

    class Everything(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name that the library asks for
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Everything) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
