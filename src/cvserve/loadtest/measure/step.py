"""One load and what came of it, and all loads of a run."""

from dataclasses import dataclass, field

from cvserve.loadtest.measure.watch import ServerLoad
from cvserve.loadtest.plan import Plan
from cvserve.loadtest.samples import Window

CLIENT_LIMIT = 0.9  # of a core, or of the time of the event loop: from here on the generator is the limit
_UNEVEN = 3  # requests more or fewer in flight than before say nothing
_HELD_SHARE = 0.97


@dataclass
class Step:
    """One load, and what was measured under it.

    Attributes:
        phase: `step`, `half`, `most` (80 %), `hold` or `load`; in the timeline also `end`.
        users: that were sending; of open load: connections.
        rate: requests that were due a second; None: closed load.
        whole: all of what was measured.
        windows: the same in pieces.
        server: from inside; None when it was not seen.
        machine_busy: share of the time in which the cores of this machine worked, for whomever; None: not seen.
        backlog: how many requests more were due or in flight at the end than at the beginning.
    """

    phase: str
    users: int
    rate: float | None
    whole: Window
    windows: list[Window]
    server: ServerLoad | None
    machine_busy: float | None
    backlog: int

    @property
    def rps(self) -> float:
        """Good answers a second."""
        return self.whole.rps

    @property
    def p95_ms(self) -> float | None:
        """95th percentile of the good answers in ms; None without any."""
        return self.whole.latencies.percentile_ms(95)

    @property
    def is_client_bound(self) -> bool:
        """Whether the load generator had no time left: what it measured is its own limit."""
        return self.whole.busy >= CLIENT_LIMIT

    def find_fault(self, plan: Plan) -> str | None:
        """Find why the load was not held: `failures`, `slo` (p95 too high) or `backlog` (open load; it fell behind).

        Returns:
            None when it was held.
        """
        if self.whole.failure_share > plan.max_failure_share or not self.whole.good:
            return "failures"
        if plan.slo_p95_ms is not None and (self.p95_ms or 0) > plan.slo_p95_ms:
            return "slo"
        if self.rate is not None:
            due = self.rate * (self.whole.end - self.whole.begin)
            if self.backlog > max((1 - _HELD_SHARE) * due, _UNEVEN):
                return "backlog"
        return None


@dataclass
class Run:
    """All that a run has measured so far; it is complete at any moment, so that a stopped run can be reported.

    Attributes:
        timeline: windows of a second from the first tick to the last, and the phase of each.
        steps: what was measured.
    """

    timeline: list[tuple[str, Window]] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
