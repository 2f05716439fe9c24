"""The first `cvserve serve` of a folder makes a token, shows it once, and it opens the very next request."""

from collections.abc import Callable
from pathlib import Path

from support.command import cvserve
from support.process import ServerProcess

Start = Callable[..., ServerProcess]


def test_first_token_opens_the_first_request_with_all_scopes(server_process: Start, home: Path) -> None:
    for number in range(3):  # each in a folder of its own: the moment after the announcement is what counts
        folder = home / str(number)
        server = server_process("--home", str(folder))
        with server.client() as client:
            assert client.get("/readyz").status_code == 200
            assert client.get("/predict").status_code == 200
    listed = cvserve("token", "list", "--json", "--home", str(folder)).out
    assert '"first"' in listed
    assert str(server.token) not in listed


def test_no_second_token_is_made_and_none_is_shown_again(server_process: Start) -> None:
    first = server_process()
    first.stop()
    second = server_process()
    assert "Your token" not in second.stderr
    with second.client(first.token) as client:
        assert client.get("/readyz").status_code == 200


def test_start_that_fails_makes_no_token(home: Path) -> None:
    failed = cvserve("serve", "--port", "0", "--ssl-certfile", "none.pem", "--ssl-keyfile", "none.pem")
    assert failed.code == 2
    assert "none.pem" in failed.err
    assert cvserve("token", "list", "--json").out.strip() == "[]"
