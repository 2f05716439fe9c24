"""Limits that a run must keep to, and runs beside each other."""

from typing import Any

import pytest

from cvserve.loadtest.report.gates import Gate, compare, find_differences


def report(rps: float = 100, p95_ms: float | None = 50, failures: int = 0, **changes: Any) -> dict[str, Any]:
    """A report as far as gates look at it; its windows are off by two percent."""
    windows = [{"rps": rps * part, "p95_ms": p95_ms and p95_ms * part} for part in (0.98, 1.0, 1.0, 1.0, 1.02)]
    measured = {"rps": rps, "p95_ms": p95_ms, "failures": failures, "requests": 1000, "windows": windows}
    about = {"is_search": True, "capacity_rps": rps, "model": {"name": "digits"}, "mode": "closed", "machine": {}}
    counted = {"failures": failures, "requests": 1000}
    return {"measured": measured, **counted, "plan": {"users": None, "rate": None}, **about, **changes}


@pytest.mark.parametrize(
    ("gate", "word"),
    [
        (Gate(max_p95_ms=49), "--max-p95"),
        (Gate(min_rps=101), "--min-rps"),
        (Gate(max_failures=0.001), "--max-failures"),
    ],
)
def test_a_broken_limit_is_one_sentence_with_both_numbers(gate: Gate, word: str) -> None:
    (reason,) = gate.find_breaches(report(failures=2))
    assert word in reason


def test_a_search_counts_the_failures_of_its_hold_and_one_load_counts_all() -> None:
    gate = Gate(max_failures=0.01)
    beyond = report(failures=0) | {"failures": 500}
    assert gate.find_breaches(beyond) == []
    assert len(gate.find_breaches(beyond | {"is_search": False})) == 1


def test_kept_limits_say_nothing() -> None:
    assert Gate(max_p95_ms=50, min_rps=100, max_failures=0.002).find_breaches(report(failures=2)) == []
    assert Gate().find_breaches(report(p95_ms=None)) == []


def test_a_run_without_answers_breaks_every_limit() -> None:
    gate = Gate(max_p95_ms=1000, min_rps=1, max_failures=1)
    assert len(gate.find_breaches(report(rps=0, p95_ms=None) | {"measured": None})) == 3
    assert len(Gate(min_rps=1).find_breaches(report(capacity_rps=None))) == 1


@pytest.mark.parametrize(
    ("now", "verdicts"),
    [
        (report(100, 50), ["same", "same"]),
        (report(98, 51), ["same", "same"]),
        (report(90, 50), ["worse", "same"]),
        (report(120, 60), ["better", "worse"]),
        (report(100, 40), ["same", "better"]),
    ],
)
def test_a_change_counts_when_it_is_larger_than_the_noise(now: dict[str, Any], verdicts: list[str]) -> None:
    assert [entry.verdict for entry in compare(report(), now)] == verdicts


def test_noisy_windows_make_a_small_change_no_change() -> None:
    noisy = report(90)
    noisy["measured"]["windows"][0]["rps"] = 60
    (throughput, _) = compare(report(), noisy)
    assert throughput.verdict == "same"
    assert "within the noise" in throughput.sentence
    assert throughput.noise == pytest.approx(1 / 3)


def test_what_cannot_be_compared_is_named() -> None:
    other = report(model={"name": "other"}, machine={"cores": 64})
    assert find_differences(report(), other) == ["model", "machine"]
    assert find_differences(report(), report()) == []
    assert compare(report(), report() | {"measured": None}) == []
