"""A limit of the load generator is never called the server's."""

from collections.abc import Iterator

import pytest

from cvserve.loadtest.session import run_loadtest
from cvserve.loadtest.target import Target
from loadtest.conftest import quick
from support.canned_server import CannedServer

pytestmark = pytest.mark.slow


@pytest.fixture
def canned() -> Iterator[CannedServer]:
    server = CannedServer()
    yield server
    server.stop()


def test_a_server_that_is_quicker_than_locust_is_not_judged(canned: CannedServer) -> None:
    plan = quick(step_s=0.4, share_s=0.4, run_time_s=0.6, window_s=0.2)
    report = run_loadtest(Target(canned.url, "any-token-will-do"), plan).report
    assert report["limited_by"] == "client"
    assert "The load generator was the limit" in report["verdict"][1]
    assert "the server is the limit" not in " ".join(report["verdict"])
    assert max(step["client_busy"] for step in report["steps"]) > 0.9
    assert report["measured"]["server_busy"] is None  # it has no metrics


def test_one_load_beyond_locust_is_not_judged_either(canned: CannedServer) -> None:
    plan = quick(find_capacity=False, users=32, run_time_s=0.8)
    report = run_loadtest(Target(canned.url, None), plan).report
    assert report["limited_by"] == "client"
    assert "says little of the server" in " ".join(report["verdict"])
