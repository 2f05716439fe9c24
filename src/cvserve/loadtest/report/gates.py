"""What a run must keep to, and whether it did: limits, and an earlier run."""

from dataclasses import dataclass
from typing import Any

from cvserve.loadtest.report.document import Report
from cvserve.loadtest.report.format import format_number
from cvserve.loadtest.samples import compute_spread

_LEAST_NOISE = 0.03  # two runs of the same thing differ by so much even where their windows do not


@dataclass(frozen=True, kw_only=True)
class Gate:
    """The limits that a run must keep to; None means no such limit.

    Attributes:
        max_p95_ms: of the hold at the capacity, or of the one load.
        min_rps: good answers a second there.
        max_failures: failures among all answers there; of one load, from its first request to its last; 0 to 1.
    """

    max_p95_ms: float | None = None
    min_rps: float | None = None
    max_failures: float | None = None

    def find_breaches(self, report: Report) -> list[str]:
        """Find the limits that a run does not keep, a sentence each; no sentence when it keeps all."""
        measured = report["measured"] or {}
        reasons = []
        p95_ms, rps = measured.get("p95_ms"), measured.get("rps") or 0.0
        if report["is_search"] and report["capacity_rps"] is None:
            rps = 0.0
        if self.max_p95_ms is not None and (p95_ms is None or p95_ms > self.max_p95_ms):
            reasons.append(f"p95 is {format_number(p95_ms)} ms; --max-p95 allows {format_number(self.max_p95_ms)} ms.")
        if self.min_rps is not None and rps < self.min_rps:
            reasons.append(
                f"{format_number(rps)} requests/s were held; --min-rps asks for {format_number(self.min_rps)}."
            )
        if self.max_failures is not None:
            share = compute_failure_share(report)
            if not measured.get("requests") or share > self.max_failures:
                reasons.append(f"{share:.2%} of the requests failed; --max-failures allows {self.max_failures:.2%}.")
        return reasons


def compute_failure_share(report: Report) -> float:
    """Share of failures among all answers, 0 to 1; of a search, only at the capacity: beyond it some are expected."""
    counted = (report["measured"] or {}) if report["is_search"] else report
    return float(counted.get("failures", 0) / max(counted.get("requests", 0), 1))


@dataclass(frozen=True)
class Comparison:
    """One figure of two runs.

    Attributes:
        name: `requests/s` or `p95`.
        before, now: medians of the windows.
        noise: how much a window is off the median, as a share; the larger of both runs.
        change: as a share of before.
        verdict: `better`, `worse`, or `same` when the change is within the noise.
    """

    name: str
    before: float
    now: float
    noise: float
    change: float
    verdict: str

    @property
    def sentence(self) -> str:
        """The comparison in words, with the noise that it must exceed to mean something."""
        words = {"same": "within the noise", "better": "better", "worse": "worse"}
        return (
            f"{self.name}: {format_number(self.before)} before, {format_number(self.now)} now ({self.change:+.1%}; "
            f"windows differ by ±{self.noise:.1%}): {words[self.verdict]}."
        )


def compare(before: Report, now: Report) -> list[Comparison]:
    """Compare throughput and p95 of two runs by their measured windows; a figure that one lacks is left out."""
    found = []
    for key, name, more_is_better in (("rps", "requests/s", True), ("p95_ms", "p95 in ms", False)):
        old, new = _windows(before, key), _windows(now, key)
        if old and new:
            found.append(_compare_figure(name, old, new, more_is_better=more_is_better))
    return found


def find_differences(before: Report, now: Report) -> list[str]:
    """Name what makes two runs hard to compare: another model, mode, load or machine."""
    pairs: list[tuple[str, Any, Any]] = [
        ("model", before.get("model"), now.get("model")),
        ("mode", before.get("mode"), now.get("mode")),
        ("search", before.get("is_search"), now.get("is_search")),
        ("machine", _machine(before), _machine(now)),
    ]
    if not now.get("is_search"):
        pairs += [(name, before["plan"].get(name), now["plan"].get(name)) for name in ("users", "rate")]
    pairs += [(name, before["plan"].get(name), now["plan"].get(name)) for name in ("body", "reads", "slo_p95_ms")]
    return [name for name, old, new in pairs if old != new]


def _machine(report: Report) -> Any:
    return {name: report.get("machine", {}).get(name) for name in ("cores", "processor")}


def _windows(report: Report, key: str) -> list[float]:
    windows = (report.get("measured") or {}).get("windows", [])
    return [window[key] for window in windows if window[key] is not None]


def _compare_figure(name: str, old: list[float], new: list[float], *, more_is_better: bool) -> Comparison:
    old_low, before, old_high = compute_spread(old)
    new_low, now, new_high = compute_spread(new)
    noise = max(
        _LEAST_NOISE,
        max(old_high - before, before - old_low) / before if before else 0.0,
        max(new_high - now, now - new_low) / now if now else 0.0,
    )
    change = (now - before) / before if before else 0.0
    verdict = "same"
    if abs(change) > noise:
        verdict = "better" if (change > 0) == more_is_better else "worse"
    return Comparison(name, before, now, noise, change, verdict)
