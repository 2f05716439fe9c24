"""What is said of one load, by the load and what came of it."""

import pytest

from cvserve.loadtest.plan import Plan
from support.simulated_load import SimulatedLoad, simulate


def one(**load: float) -> Plan:
    return Plan(find_capacity=False, **load)  # type: ignore[arg-type]


def test_closed_load_says_how_much_was_answered() -> None:
    report = simulate(SimulatedLoad(picture_ms=20), one(users=4))
    assert report["rps"] == pytest.approx(50, rel=0.02)
    assert report["verdict"][0] == "4 users got 50.0 good answers/s, p95 80.0 ms."
    assert (report["limited_by"], report["capacity_rps"]) == (None, None)


def test_open_load_that_is_held_keeps_its_rate_and_its_latency() -> None:
    report = simulate(SimulatedLoad(picture_ms=20), one(rate=25.0))
    assert report["rps"] == pytest.approx(25, rel=0.05)
    assert report["p95_ms"] == 20
    assert (report["limited_by"], report["capacity_rps"]) == (None, None)


def test_open_load_that_is_not_held_falls_behind_and_its_latency_grows() -> None:
    report = simulate(SimulatedLoad(picture_ms=20), one(rate=100.0, users=4, run_time_s=4.0))
    assert report["measured"]["backlog"] == pytest.approx(200, rel=0.1)
    assert report["p95_ms"] > 3_000
    assert report["limited_by"] == "server"
    assert report["capacity_rps"] == pytest.approx(50, rel=0.05)
    assert "this is more than it holds" in report["verdict"][1]


def test_a_server_that_refuses_is_at_its_limit() -> None:
    report = simulate(SimulatedLoad(picture_ms=20, refused="503 overloaded"), one(rate=150.0))
    assert report["limited_by"] == "server"
    assert [entry["reason"] for entry in report["reasons"]] == ["503 overloaded"]
    assert "more than it holds" in " ".join(report["verdict"])


def test_a_limit_of_p95_that_is_passed_is_named() -> None:
    report = simulate(SimulatedLoad(picture_ms=20), Plan(find_capacity=False, users=8, slo_p95_ms=100.0))
    assert report["limited_by"] == "slo"
    assert report["verdict"][1] == "That is above p95 ≤ 100 ms."
