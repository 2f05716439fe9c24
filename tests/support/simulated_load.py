"""Generators and a server that are a formula: a load test on them takes no time, and every number is known."""

from cvserve.loadtest.locust.generators import Generators
from cvserve.loadtest.measure.bench import Bench
from cvserve.loadtest.measure.watch import Watch
from cvserve.loadtest.plan import Plan
from cvserve.loadtest.report.document import Report, make_report
from cvserve.loadtest.report.verdict import Place
from cvserve.loadtest.samples import Latencies, Tick
from cvserve.loadtest.session import judge, run_plan

TICK_S = 0.2
_IDLE_S = 1e-6


class SimulatedLoad(Generators):
    """One generator and a server with one worker, whose model takes a time for each batch and each picture.

    Two batches alternate: of n requests in flight each takes 2 × `batch_ms` + n × `picture_ms`.

    Args:
        picture_ms: of the model, for each picture.
        batch_ms: of the model, for each batch.
        client_rps: what the generator can send a second, at most.
        refused: reason for which what is due beyond the capacity fails; empty: it waits.
    """

    def __init__(self, picture_ms: float, batch_ms: float = 0.0, client_rps: float = 1e9, refused: str = "") -> None:
        self._picture_s, self._batch_s = picture_ms / 1000, batch_ms / 1000
        self._client_rps, self._refused = client_rps, refused
        self._users = 0
        self._rate: float | None = None
        self._time_s, self._waiting, self._answers, self._failures = 0.0, 0.0, 0.0, 0.0

    @property
    def pids(self) -> list[int]:
        return [1]

    def now(self) -> float:
        return self._time_s

    def set_users(self, count: int, spawn_rate: float) -> None:
        self._users = count

    def start_open_load(self, rate: float) -> None:
        self._rate = rate
        self._waiting = 0.0

    def start_closed_load(self) -> None:
        self._rate = None

    def finish(self) -> list[Tick]:
        return []

    def next_tick(self) -> Tick:
        begin, self._time_s = self._time_s, self._time_s + TICK_S
        server_rps = self._users / self._latency_s(self._users) if self._users else 0.0
        due_rps = server_rps if self._rate is None else self._rate
        rps = min(due_rps, server_rps, self._client_rps)
        beyond = (due_rps - rps) * TICK_S
        if self._refused:
            self._failures += beyond
        else:
            self._waiting += beyond
        self._answers += rps * TICK_S
        good, failed = int(self._answers), int(self._failures)
        self._answers -= good
        self._failures -= failed
        in_flight = self._users if beyond else rps * self._latency_s(1)
        latency_s = self._latency_s(self._users if self._rate is None or beyond else 1)
        if self._rate is not None and rps:
            latency_s += self._waiting / rps
        return Tick(
            index=0,
            begin=begin,
            end=self._time_s,
            users=self._users,
            latencies=Latencies([(round(latency_s * 1e6), good)] if good else []),
            failures={f"POST /predict: {self._refused}": failed} if failed else {},
            cpu=0.1,
            busy=min(1.0, due_rps / self._client_rps) if self._rate else min(1.0, server_rps / self._client_rps),
            waiting=round(self._waiting) if self._rate is not None else 0,
            in_flight=round(in_flight) if self._rate is not None else 0,
            last_at=self._time_s - 0.001 if good else None,
        )

    def _latency_s(self, users: int) -> float:
        """Latency of each of so many requests in flight."""
        return max((2 if users > 1 else 1) * self._batch_s + users * self._picture_s, _IDLE_S)


def simulate(load: SimulatedLoad, plan: Plan) -> Report:
    """The report of a load test as `run_loadtest` makes it."""
    bench = Bench(load, plan, Watch(None), lambda _phase, _window: None, 5.0)
    found = run_plan(bench, plan)
    bench.finish()
    verdict = judge(bench.run, found, plan, Place(is_shared=True, cores=2), is_partial=False)
    about = {
        "created_at": "2026-11-25T01:02:03.456Z",
        "target": "http://127.0.0.1:8000",
        "settings": {},
        "model": {"name": "paced", "version": "0"},
        "machine": {"cores": 2, "processor": "simulated"},
    }
    return make_report(plan=plan, run=bench.run, found=found, verdict=verdict, about=about, is_partial=False)
