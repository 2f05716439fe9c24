"""Which URLs may be loaded, and which are none."""

import pytest

from cvserve.errors import CannotStart, InvalidSetting, Unsafe
from cvserve.loadtest.pictures import find_pictures
from cvserve.loadtest.target import greet, make_target
from support.canned_server import CannedServer


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000"),
        ("http://localhost:8000/predict", "http://localhost:8000"),
        ("https://[::1]:8443/models/digits/", "https://[::1]:8443/models/digits"),
    ],
)
def test_a_server_on_this_machine_may_be_loaded(typed: str, url: str) -> None:
    target = make_target(typed, None, may_load=False)
    assert (target.url, target.is_here) == (url, True)


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1", "https://example.org/", "http://127.0.0.1.example.org", "http://0.0.0.0"]
)
def test_another_machine_only_when_somebody_says_so(url: str) -> None:
    with pytest.raises(Unsafe, match="--i-may-load-this-host"):
        make_target(url, None, may_load=False)
    assert not make_target(url, None, may_load=True).is_here


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:8000", "ftp://127.0.0.1", "http://", "http://[::1", "http://u:p@127.0.0.1", "http://127.0.0.1:0",
            "http://127.0.0.1:99999", "http://127.0.0.1/?a=b"]
)  # fmt: skip
def test_what_is_no_url_of_a_server(url: str) -> None:
    with pytest.raises(InvalidSetting, match="no URL"):
        make_target(url, None, may_load=True)


def test_something_else_that_listens_is_not_cvserve(threaded_server: object) -> None:
    server = threaded_server(root_path="/models/a")  # type: ignore[operator]
    target = make_target(f"{server.url}/nowhere", server.token, may_load=False)
    with pytest.raises(CannotStart, match="not cvserve"):
        greet(target, find_pictures("")[:1])


def test_greeting_tells_the_model_and_whether_metrics_are_seen() -> None:
    server = CannedServer()
    try:
        greeting = greet(make_target(server.url, None, may_load=False), find_pictures("")[:2])
    finally:
        server.stop()
    assert greeting.model == {"name": "canned", "version": "0"}
    assert greeting.latency_ms > 0
