"""Medians of what was measured."""

import statistics
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, TypedDict

POST = "POST"


class Untrusted(Exception):
    """A figure of which one run at least went wrong."""


class Run(TypedDict):
    """One run of wrk against one server.

    `what` is `POST`, or the place of a page of the history: `start`, `middle`, `end`. Rate in answers a second,
    times in milliseconds, memory in 10^6 bytes; `problem` says what must not be believed.
    """

    case: str
    server: str
    title: str
    what: str
    connections: int
    repeat: int
    rate: float
    p50_ms: float
    p99_ms: float
    idle_mb: float
    loaded_mb: float
    cold_start_s: float
    problem: str | None


class Figures:
    """Medians over the repeats.

    Args:
        runs: of all cases.
        bare_us: microseconds a picture without a server, one entry a repeat.
    """

    def __init__(self, runs: Iterable[Run], bare_us: list[float]) -> None:
        self._runs: dict[tuple[str, str, int, str], list[Run]] = defaultdict(list)
        for run in runs:
            self._runs[run["case"], run["server"], run["connections"], run["what"]].append(run)
        self._bare_us = bare_us

    def has(self, case: str, server: str, connections: int, what: str = POST) -> bool:
        """Whether it was measured."""
        return (case, server, connections, what) in self._runs

    def problems(self, case: str, server: str, connections: int, what: str = POST) -> list[str]:
        """What went wrong in its runs."""
        return [run["problem"] for run in self._of(case, server, connections, what) if run["problem"]]

    def rate(self, case: str, server: str, connections: int, what: str = POST) -> float:
        """Answers a second."""
        return self._median("rate", case, server, connections, what)

    def p50(self, case: str, server: str, connections: int, what: str = POST) -> float:
        """Median latency in milliseconds."""
        return self._median("p50_ms", case, server, connections, what)

    def p99(self, case: str, server: str, connections: int, what: str = POST) -> float:
        """99th percentile of the latency in milliseconds."""
        return self._median("p99_ms", case, server, connections, what)

    def idle_mb(self, server: str) -> float:
        """PSS after the first answer, in 10^6 bytes."""
        return self._median("idle_mb", "memory", server, 64, POST)

    def loaded_mb(self, server: str) -> float:
        """PSS after the load, in 10^6 bytes."""
        return self._median("loaded_mb", "memory", server, 64, POST)

    def cold_start_s(self, server: str) -> float:
        """Seconds from exec to the first 200."""
        return self._median("cold_start_s", "memory", server, 64, POST)

    def bare_us(self) -> float:
        """Microseconds a picture in process."""
        if not self._bare_us:
            raise KeyError("bare")
        return statistics.median(self._bare_us)

    def _of(self, *key: Any) -> list[Run]:
        if key not in self._runs:
            raise KeyError(key)
        return self._runs[key]

    def _median(self, name: str, *key: Any) -> float:
        runs = self._of(*key)
        if wrong := next((run["problem"] for run in runs if run["problem"]), None):
            raise Untrusted(wrong)
        return statistics.median(run[name] for run in runs)  # type: ignore[literal-required, no-any-return]
