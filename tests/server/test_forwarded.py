"""The client's address: the peer's, or what a known proxy says, and never anything that is no address."""

from collections.abc import Callable, Iterator

import pytest

from cvserve.store.sqlite import sqlite3
from support.fakes import BrightnessPredictor
from support.lines import parsed
from support.pictures import grey
from support.raw import RawConnection
from support.threaded import ThreadedServer

Start = Callable[..., ThreadedServer]


def client_of(server: ThreadedServer, *values: str) -> str:
    """What the log and the history say after a request with these headers `X-Forwarded-For`."""
    with RawConnection(server.url) as raw:
        headers = [f"X-Forwarded-For: {value}" for value in values]
        answer = raw.request("POST", "/predict", *headers, token=server.token, body=grey(0)).answer()
        assert answer.status == 200
    database = sqlite3.connect(server.settings.database_path)  # the column is in no answer
    (stored,) = database.execute("SELECT client FROM predictions ORDER BY id DESC LIMIT 1").fetchone()
    database.close()
    logged = parsed(server.log_lines()[-1]).client
    assert stored == logged
    return logged


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThreadedServer]:
    """A server behind a proxy of this machine, and others of a network."""
    server = ThreadedServer(
        tmp_path_factory.mktemp("proxied"), BrightnessPredictor(), forwarded_allow_ips="127.0.0.1,10.0.0.0/8"
    )
    yield server
    server.stop()


@pytest.mark.parametrize(
    ("values", "client"),
    [
        ((), "127.0.0.1"),
        (("203.0.113.7",), "203.0.113.7"),
        (("6.6.6.6, 203.0.113.7",), "203.0.113.7"),
        (("6.6.6.6", "203.0.113.7"), "203.0.113.7"),
        (("203.0.113.7, 10.1.2.3",), "203.0.113.7"),
        (("203.0.113.7,10.1.2.3 ,127.0.0.1\t",), "203.0.113.7"),
        (("10.9.9.9, 10.1.2.3",), "10.9.9.9"),
        (("203.0.113.7:5000",), "203.0.113.7"),
        (("2001:DB8::1",), "2001:db8::1"),
        (("[2001:db8::1]:5000",), "2001:db8::1"),
        (("unknown, 203.0.113.7",), "203.0.113.7"),
        (("unknown",), "127.0.0.1"),
        (("",), "127.0.0.1"),
        (("203.0.113.7, ",), "127.0.0.1"),
        (("1.2.3.4 | admin | GET /x | 200",), "127.0.0.1"),
        (("x" * 8_000,), "127.0.0.1"),
        (("fe80::1%eth0",), "127.0.0.1"),
        (("1.2.3.4.5",), "127.0.0.1"),
        (("203.0.113.7; cvs_0123456789abcdef",), "127.0.0.1"),
        (("cvs_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJK, 203.0.113.7",), "203.0.113.7"),
    ],
)
def test_only_an_address_is_taken_from_the_header(
    proxied: ThreadedServer, values: tuple[str, ...], client: str
) -> None:
    assert client_of(proxied, *values) == client


def test_unknown_peer_is_not_believed(threaded_server: Start) -> None:
    server = threaded_server(forwarded_allow_ips="192.0.2.1, 10.0.0.0/8")
    assert client_of(server, "203.0.113.7") == "127.0.0.1"


def test_star_believes_the_first_address(threaded_server: Start) -> None:
    server = threaded_server(forwarded_allow_ips="*")
    assert client_of(server, "6.6.6.6, 203.0.113.7") == "6.6.6.6"
    assert client_of(server, "who, 203.0.113.7") == "127.0.0.1"
