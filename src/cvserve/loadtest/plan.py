"""What a load test is to do: which load, for how long, and what it must keep to."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One load test: the load and how it is measured.

    Attributes:
        find_capacity: step the load and close in on the capacity; else one load for `run_time_s`.
        users: that send at the same time; of a search, the most there may be; None: as many as it takes.
        rate: requests due a second (open load); of a search, where it begins; None: closed load.
        spawn_rate: users that start a second.
        run_time_s: of one load; of a search, of the hold at the end.
        slo_p95_ms: the 95th percentile that is still good enough; None: any.
        max_failure_share: failures among all answers that a load may have and still count as held, 0 to 1.
        images: folder of the pictures; empty: those that come with cvserve.
        body: `multipart` or `raw`.
        reads: share of requests that read the history, 0 to 1.
        processes: of Locust.
        stop_timeout_s: how long users may finish what they do.
        settle_s: after each change of the load, before anything counts.
        step_s: of each step of a search, at least.
        share_s: of the load at 50 % and at 80 % of the capacity.
        window_s: windows into which each measurement is cut, so that its noise can be seen.
        max_users: that a search tries.
    """

    find_capacity: bool = True
    users: int | None = None
    rate: float | None = None
    spawn_rate: float = 100.0
    run_time_s: float = 10.0
    slo_p95_ms: float | None = None
    max_failure_share: float = 0.01
    images: str = ""
    body: str = "multipart"
    reads: float = 0.0
    processes: int = 1
    stop_timeout_s: float = 10.0
    settle_s: float = 0.5
    step_s: float = 2.5
    share_s: float = 4.0
    window_s: float = 1.0
    max_users: int = 512

    @property
    def mode(self) -> str:
        """`open`: requests are due by the clock; `closed`: each user waits for its last answer."""
        return "closed" if self.rate is None else "open"
