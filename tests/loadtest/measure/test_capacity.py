"""The capacity that is found is the one that the server was made with."""

import os
from collections.abc import Callable

import pytest

from cvserve.loadtest.session import run_loadtest
from loadtest.conftest import quick, target, undisturbed
from support.known_server import KnownServer

KNOWN_RPS = 50
pytestmark = pytest.mark.slow
LONG = bool(os.environ.get("CVSERVE_TEST_LONG"))


def within_a_tenth(found: float | None, known: float) -> bool:
    return found is not None and abs(found - known) <= known / 10


def test_closed_load_finds_the_capacity_and_that_few_users_are_enough(known: KnownServer) -> None:
    report = undisturbed(target(known), quick())
    assert within_a_tenth(report["capacity_rps"], KNOWN_RPS), report["steps"]
    assert report["limited_by"] == "server"
    assert report["knee_users"] <= 4
    assert set(report["shares"]) == {"50%", "80%", "100%"}
    assert report["shares"]["50%"]["p95_ms"] < report["shares"]["100%"]["p95_ms"] + 40
    assert f"on the same {report['machine']['cores']} cores" in " ".join(report["verdict"])
    assert "at least" in report["verdict"][0]


def test_open_load_finds_the_same_capacity(known: KnownServer) -> None:
    report = undisturbed(target(known), quick(rate=30.0))
    assert within_a_tenth(report["capacity_rps"], KNOWN_RPS), report["steps"]
    assert (report["mode"], report["limited_by"], report["knee_users"]) == ("open", "server", None)


def test_an_slo_that_cuts_earlier_is_where_the_search_ends(known_server: Callable[..., KnownServer]) -> None:
    # Two batches alternate: n users wait (2 × 40 + 10 n) ms, and n / that many a second are answered.
    # 205 ms are reached with 12 users and 60/s; without the SLO it would be 100/s.
    server = known_server(picture_ms=10, batch_ms=40)
    report = undisturbed(target(server), quick(slo_p95_ms=210.0))
    assert report["limited_by"] == "slo"
    assert report["p95_ms"] <= 210
    assert 9 <= report["measured"]["users"] <= 13, report["steps"]
    assert 48 <= report["capacity_rps"] <= 66, report["steps"]


def test_an_slo_that_nothing_keeps_gives_no_capacity(known: KnownServer) -> None:
    report = run_loadtest(target(known), quick(slo_p95_ms=5.0)).report
    assert (report["capacity_rps"], report["limited_by"]) == (None, "slo")
    assert "No load keeps p95 ≤ 5.00 ms" in report["verdict"][0]


@pytest.mark.skipif(not LONG, reason="minutes: CVSERVE_TEST_LONG=1")
@pytest.mark.parametrize("rate", [None, 20.0])
def test_the_defaults_find_it_too(known: KnownServer, rate: float | None) -> None:
    from cvserve.loadtest.plan import Plan

    report = undisturbed(target(known), Plan(rate=rate))
    assert within_a_tenth(report["capacity_rps"], KNOWN_RPS), report["steps"]
