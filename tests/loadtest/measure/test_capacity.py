"""The capacity that is found is the one that the server was made with.

The search itself is tested on servers that are a formula; on a real one, in the long form, it must find the same.
"""

from collections.abc import Callable

import pytest

from cvserve.loadtest.plan import Plan
from cvserve.loadtest.session import run_loadtest
from loadtest.conftest import long_form, quick, target, undisturbed
from support.known_server import KnownServer
from support.simulated_load import SimulatedLoad, simulate

KNOWN_RPS = 50


def within_a_tenth(found: float | None, known: float) -> bool:
    return found is not None and abs(found - known) <= known / 10


def test_closed_load_finds_the_capacity_of_a_formula() -> None:
    report = simulate(SimulatedLoad(picture_ms=20), Plan())
    assert report["capacity_rps"] == pytest.approx(KNOWN_RPS, rel=0.02)
    assert (report["mode"], report["limited_by"], report["knee_users"]) == ("closed", "server", 1)
    assert set(report["shares"]) == {"50%", "80%", "100%"}
    assert report["verdict"][0].startswith("The server holds at least ")
    assert report["verdict"][1] == "Beyond 1 user, more users bring no more throughput: the server is the limit."


def test_users_are_added_until_they_bring_no_more() -> None:
    # n users get n / (80 + 10 n) ms: 97.0/s with 256, and 95 % of that from 95 users on.
    report = simulate(SimulatedLoad(picture_ms=10, batch_ms=40), Plan())
    assert report["capacity_rps"] == pytest.approx(97.0, rel=0.01)
    assert report["measured"]["users"] == 256
    assert 95 <= report["knee_users"] <= 100
    assert report["limited_by"] == "server"


@pytest.mark.parametrize("rate", [5.0, 30.0, 300.0])
def test_open_load_finds_the_same_capacity_from_wherever_it_begins(rate: float) -> None:
    report = simulate(SimulatedLoad(picture_ms=20), Plan(rate=rate))
    assert report["capacity_rps"] == pytest.approx(KNOWN_RPS, rel=0.05)
    assert (report["mode"], report["limited_by"], report["knee_users"]) == ("open", "server", None)
    assert report["verdict"][1] == "With more load it falls behind: the server is the limit."


def test_an_slo_that_cuts_earlier_ends_the_search() -> None:
    # 205 ms are reached with 12 users and 60/s; without the SLO it would be 100/s.
    report = simulate(SimulatedLoad(picture_ms=10, batch_ms=40), Plan(slo_p95_ms=210.0))
    assert report["limited_by"] == "slo"
    assert report["p95_ms"] <= 210
    assert 12 <= report["measured"]["users"] <= 13, report["steps"]
    assert 58 <= report["capacity_rps"] <= 64, report["steps"]


def test_an_slo_that_no_load_keeps_gives_no_capacity() -> None:
    report = simulate(SimulatedLoad(picture_ms=20), Plan(slo_p95_ms=5.0))
    assert (report["capacity_rps"], report["limited_by"]) == (None, "slo")
    assert report["verdict"] == ["No load keeps p95 ≤ 5.00 ms: with only one user, p95 is 20.0 ms."]


def test_what_a_server_refuses_is_no_capacity() -> None:
    report = simulate(SimulatedLoad(picture_ms=20, refused="503 overloaded"), Plan(rate=30.0))
    assert report["capacity_rps"] == pytest.approx(KNOWN_RPS, rel=0.05)
    assert report["verdict"][1] == "With more load, more than 1% of the requests fail."
    assert [entry["reason"] for entry in report["reasons"]] == ["503 overloaded"]


@long_form
@pytest.mark.slow
class TestRealServer:
    def test_closed_load_finds_the_capacity_and_that_few_users_are_enough(self, known: KnownServer) -> None:
        report = undisturbed(target(known), quick())
        assert within_a_tenth(report["capacity_rps"], KNOWN_RPS), report["steps"]
        assert report["limited_by"] == "server"
        assert report["knee_users"] <= 4
        assert set(report["shares"]) == {"50%", "80%", "100%"}
        assert report["shares"]["50%"]["p95_ms"] < report["shares"]["100%"]["p95_ms"] + 40
        assert f"on the same {report['machine']['cores']} cores" in " ".join(report["verdict"])
        assert "at least" in report["verdict"][0]

    def test_open_load_finds_the_same_capacity(self, known: KnownServer) -> None:
        report = undisturbed(target(known), quick(rate=30.0))
        assert within_a_tenth(report["capacity_rps"], KNOWN_RPS), report["steps"]
        assert (report["mode"], report["limited_by"], report["knee_users"]) == ("open", "server", None)

    def test_an_slo_that_cuts_earlier_is_where_the_search_ends(self, known_server: Callable[..., KnownServer]) -> None:
        # Two batches alternate: n users wait (2 × 40 + 10 n) ms, and n / that many a second are answered.
        # 205 ms are reached with 12 users and 60/s; without the SLO it would be 100/s.
        server = known_server(picture_ms=10, batch_ms=40)
        report = undisturbed(target(server), quick(slo_p95_ms=210.0))
        assert report["limited_by"] == "slo"
        assert report["p95_ms"] <= 210
        assert 9 <= report["measured"]["users"] <= 13, report["steps"]
        assert 48 <= report["capacity_rps"] <= 66, report["steps"]

    @pytest.mark.parametrize("rate", [None, 20.0])
    def test_the_defaults_find_it_too(self, known: KnownServer, rate: float | None) -> None:
        report = undisturbed(target(known), Plan(rate=rate))
        assert within_a_tenth(report["capacity_rps"], KNOWN_RPS), report["steps"]


@pytest.mark.slow
def test_an_slo_that_nothing_keeps_gives_no_capacity(known: KnownServer) -> None:
    report = run_loadtest(target(known), quick(slo_p95_ms=5.0)).report
    assert (report["capacity_rps"], report["limited_by"]) == (None, "slo")
    assert "No load keeps p95 ≤ 5.00 ms" in report["verdict"][0]
