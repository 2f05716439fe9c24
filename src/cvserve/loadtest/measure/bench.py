"""One load after the other on one server, and what was measured of each."""

import time
from collections.abc import Callable

from cvserve.errors import CannotStart, Unauthenticated
from cvserve.loadtest.locust.generators import Generators
from cvserve.loadtest.measure.step import Run, Step
from cvserve.loadtest.measure.watch import Watch
from cvserve.loadtest.plan import Plan
from cvserve.loadtest.samples import Tick, Window, window_of, windows_of

_ANSWERS_A_USER = 5
_STEP_GROWS = 4
_TIMELINE_S = 1.0
_GIVE_UP_S = 3.0
_TICK_EDGE_S = 0.05


class Bench:
    """Applies loads and measures them.

    Args:
        generators: started.
        plan: what is measured how.
        watch: sees the server from inside.
        on_window: hears of each second.
        slowest_ms: latency of one request on an idle server; steps are long enough for several.
    """

    def __init__(
        self,
        generators: Generators,
        plan: Plan,
        watch: Watch,
        on_window: Callable[[str, Window], None],
        slowest_ms: float,
    ) -> None:
        self.run = Run()
        self._generators = generators
        self._plan = plan
        self._watch = watch
        self._on_window = on_window
        self._longest_s = max(_STEP_GROWS * plan.step_s, _ANSWERS_A_USER * slowest_ms / 1000)
        self._phase = "step"
        self._pending: list[Tick] = []
        self._barren: list[Tick] = []
        self._users = 0
        self._is_open = False

    def closed(self, users: int, seconds: float, phase: str = "step", spawn_rate: float | None = None) -> Step:
        """So many users, each of whom sends when its last answer is there."""
        self._phase = phase
        if self._is_open:
            self._drain()
            self._generators.closed_load()
            self._is_open = False
        self._set_users(users, spawn_rate)
        self._settle(users)
        # A time that somebody asked for is kept; a step of a search goes on until each user has had some answers.
        return self._measure(seconds, phase, users, None, 0 if phase == "load" else _ANSWERS_A_USER * users)

    def open(self, rate: float, users: int, seconds: float, phase: str = "step") -> Step:
        """So many requests due a second, whatever the server does, over so many connections at most."""
        self._phase = phase
        self._drain()
        self._set_users(users)
        self._generators.open_load(rate)
        self._settle(0)
        return self._measure(seconds, phase, users, rate, 0)

    def finish(self) -> None:
        """Stop the users; take in what they still say."""
        self._phase = "end"
        for tick in self._generators.finish():
            self._pending.append(tick)
        self._close_windows(float("inf"))

    def _set_users(self, users: int, spawn_rate: float | None = None) -> None:
        if users == self._users:
            return
        rate = max(self._plan.spawn_rate, users) if spawn_rate is None else spawn_rate
        self._generators.users(users, rate)
        self._users = users
        running: dict[int, int] = {}
        deadline = time.monotonic() + users / rate + self._plan.stop_timeout_s + 5
        while sum(running.values()) != users or len(running) < len(self._generators.pids):
            tick = self._tick()
            running[tick.index] = tick.users
            if time.monotonic() > deadline:
                raise CannotStart(f"The load generator has {sum(running.values())} users instead of {users}.")

    def _drain(self) -> None:
        """Nothing is due any more; wait until all that was sent is answered."""
        self._generators.open_load(0)
        self._is_open = True
        begin = time.monotonic()
        in_flight: dict[int, int] = {}
        while time.monotonic() < begin + self._plan.stop_timeout_s:
            tick = self._tick()
            if tick.begin >= begin:
                in_flight[tick.index] = tick.in_flight
            if len(in_flight) == len(self._generators.pids) and not sum(in_flight.values()):
                return

    def _settle(self, answers: int) -> None:
        """Let some time pass, and so many answers, before anything counts."""
        begin, seen = time.monotonic(), 0
        while time.monotonic() < begin + self._plan.settle_s or (
            seen < answers and time.monotonic() < begin + max(self._plan.step_s, self._longest_s / 2)
        ):
            tick = self._tick()
            seen += len(tick.latencies) + sum(tick.failures.values())

    def _measure(self, seconds: float, phase: str, users: int, rate: float | None, answers: int) -> Step:
        begin = time.monotonic()
        ticks: list[Tick] = []
        seen = 0
        longest_s = max(seconds, self._longest_s)
        try:
            passed_s = 0.0
            while passed_s < seconds - _TICK_EDGE_S or (seen < answers and passed_s < longest_s):
                tick = self._tick()
                if tick.begin >= begin:
                    ticks.append(tick)
                    seen += len(tick.latencies) + sum(tick.failures.values())
                    passed_s = tick.end - ticks[0].begin
        finally:  # a part of a step is something to report, too
            if ticks:
                self.run.steps.append(self._step(ticks, phase, users, rate))
        return self.run.steps[-1]

    def _step(self, ticks: list[Tick], phase: str, users: int, rate: float | None) -> Step:
        whole = window_of(ticks)
        return Step(
            phase=phase,
            users=users,
            rate=rate,
            whole=whole,
            windows=windows_of(ticks, self._plan.window_s),
            server=self._watch.server(whole.begin, whole.end),
            machine_busy=self._watch.machine(whole.begin, whole.end),
            backlog=_outstanding(ticks[::-1]) - _outstanding(ticks),
        )

    def _tick(self) -> Tick:
        tick = self._generators.tick()
        self._pending.append(tick)
        self._close_windows(tick.end - _TIMELINE_S)
        self._look_for_life(tick)
        return tick

    def _close_windows(self, until: float) -> None:
        """Make a window of what lies a second or more back: by then every generator has spoken."""
        while self._pending:
            begin = min(tick.begin for tick in self._pending)
            if begin + _TIMELINE_S > until and until != float("inf"):
                return
            inside = [tick for tick in self._pending if tick.begin < begin + _TIMELINE_S - 0.05]
            self._pending = [tick for tick in self._pending if tick.begin >= begin + _TIMELINE_S - 0.05]
            window = window_of(inside)
            self.run.timeline.append((self._phase, window))
            self._on_window(self._phase, window)

    def _look_for_life(self, tick: Tick) -> None:
        """A server that is gone, or that refuses the token, is not measured any further.

        Raises:
            CannotStart: nobody has answered for some seconds.
            Unauthenticated: only 401 and 403 have come for some seconds.
        """
        if tick.latencies.counts:
            self._barren.clear()
            return
        if tick.failures:
            self._barren.append(tick)
        if not self._barren or tick.end - self._barren[0].begin < _GIVE_UP_S:
            return
        # How the last answers before that broke off says nothing about what came after.
        lately = [barren for barren in self._barren if barren.begin > tick.end - _GIVE_UP_S] or self._barren
        reasons = {reason.partition(": ")[2] for barren in lately for reason in barren.failures}
        if all(reason.startswith("no answer") for reason in reasons):
            raise CannotStart("The server is gone: it does not answer any more. See its own words or log.")
        if all(reason.startswith(("401", "403")) for reason in reasons):
            raise Unauthenticated("The server refuses the token now: it was revoked or has expired.")


def _outstanding(ticks: list[Tick]) -> int:
    """Requests that are due or in flight, by the first tick of each generator."""
    first = {tick.index: tick for tick in reversed(ticks)}
    return sum(tick.waiting + tick.in_flight for tick in first.values())
