"""A limit of the load generator is never called the server's."""

from collections.abc import Iterator

import pytest

from cvserve.loadtest.plan import Plan
from cvserve.loadtest.session import run_loadtest
from cvserve.loadtest.target import Target
from loadtest.conftest import long_form, quick
from support.canned_server import CannedServer
from support.simulated_load import SimulatedLoad, simulate


@pytest.fixture
def canned() -> Iterator[CannedServer]:
    server = CannedServer()
    yield server
    server.stop()


@pytest.mark.parametrize("plan", [Plan(), Plan(slo_p95_ms=100.0), Plan(max_users=2), Plan(rate=50.0)])
def test_a_search_that_the_generator_ends_says_nothing_of_the_servers_limit(plan: Plan) -> None:
    report = simulate(SimulatedLoad(picture_ms=1, client_rps=200.0), plan)
    assert report["limited_by"] == "client"
    assert report["capacity_rps"] == pytest.approx(200, rel=0.1)
    assert "The load generator was the limit" in report["verdict"][1]
    assert "try --processes 2" in report["verdict"][1]
    assert "the server is the limit" not in " ".join(report["verdict"])
    assert max(step["client_busy"] for step in report["steps"]) > 0.9


@pytest.mark.parametrize("plan", [Plan(find_capacity=False, users=32), Plan(find_capacity=False, rate=250.0)])
def test_one_load_beyond_the_generator_says_little_of_the_server(plan: Plan) -> None:
    report = simulate(SimulatedLoad(picture_ms=1, client_rps=200.0), plan)
    assert (report["limited_by"], report["capacity_rps"]) == ("client", None)
    assert "says little of the server" in " ".join(report["verdict"])


@long_form
@pytest.mark.slow
class TestRealLocust:
    def test_a_server_that_is_quicker_than_locust_is_not_judged(self, canned: CannedServer) -> None:
        plan = quick(step_s=0.4, share_s=0.4, run_time_s=0.6, window_s=0.2)
        report = run_loadtest(Target(canned.url, "any-token-will-do"), plan).report
        assert report["limited_by"] == "client"
        assert "The load generator was the limit" in report["verdict"][1]
        assert "the server is the limit" not in " ".join(report["verdict"])
        assert max(step["client_busy"] for step in report["steps"]) > 0.9
        assert report["measured"]["server_busy"] is None  # it has no metrics

    def test_one_load_beyond_locust_is_not_judged_either(self, canned: CannedServer) -> None:
        plan = quick(find_capacity=False, users=32, run_time_s=0.8)
        report = run_loadtest(Target(canned.url, None), plan).report
        assert report["limited_by"] == "client"
        assert "says little of the server" in " ".join(report["verdict"])
