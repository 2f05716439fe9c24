"""One load after the other on one server, and what was measured of each."""

from collections.abc import Callable

from cvserve.errors import CannotStart, Unauthenticated
from cvserve.loadtest.locust.generators import Generators
from cvserve.loadtest.measure.step import Run, Step
from cvserve.loadtest.measure.watch import Watch
from cvserve.loadtest.plan import Plan
from cvserve.loadtest.samples import Tick, Window, cut_windows, merge_ticks

_ANSWERS_A_USER = 5
_STEP_GROWS = 4
_TIMELINE_S = 1.0
_GIVE_UP_S = 3.0
_TICK_EDGE_S = 0.05


class Bench:
    """Applies loads to a server, one after the other, and measures each.

    Args:
        generators: started.
        plan: what is measured how.
        watch: sees the server from inside.
        on_window: called with the phase and the window of each second.
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
        self._failing: list[Tick] = []
        self._users = 0
        self._is_open = False

    def apply_closed(self, users: int, seconds: float, phase: str = "step", spawn_rate: float | None = None) -> Step:
        """Apply closed load and measure it: each user sends its next request when its last answer is there.

        Args:
            users: how many.
            seconds: to measure after the load has settled; a step of a search may take longer, until each user has
                had some answers.
            phase: of the step, as in `Step`.
            spawn_rate: users that start a second; None: as the plan says.

        Raises:
            CannotStart: the server is gone, or a generator ended or does not follow its orders.
            Unauthenticated: the server refuses the token now.
        """
        self._phase = phase
        if self._is_open:
            self._drain()
            self._generators.start_closed_load()
            self._is_open = False
        self._set_users(users, spawn_rate)
        self._settle(users)
        # A time that somebody asked for is kept; a step of a search goes on until each user has had some answers.
        return self._measure(seconds, phase, users, None, 0 if phase == "load" else _ANSWERS_A_USER * users)

    def apply_open(self, rate: float, users: int, seconds: float, phase: str = "step") -> Step:
        """Apply open load and measure it: requests are due by the clock, whatever the server does.

        Args:
            rate: requests due a second.
            users: connections over which they are sent, at most.
            seconds: to measure after the load has settled.
            phase: of the step, as in `Step`.

        Raises:
            CannotStart: the server is gone, or a generator ended or does not follow its orders.
            Unauthenticated: the server refuses the token now.
        """
        self._phase = phase
        self._drain()
        self._set_users(users)
        self._generators.start_open_load(rate)
        self._settle(0)
        return self._measure(seconds, phase, users, rate, 0)

    def finish(self) -> None:
        """Stop the users and add what they still measured to the timeline."""
        self._phase = "end"
        for tick in self._generators.finish():
            self._pending.append(tick)
        self._close_windows(float("inf"))

    def _set_users(self, users: int, spawn_rate: float | None = None) -> None:
        if users == self._users:
            return
        rate = max(self._plan.spawn_rate, users) if spawn_rate is None else spawn_rate
        self._generators.set_users(users, rate)
        self._users = users
        running: dict[int, int] = {}
        deadline = self._generators.now() + users / rate + self._plan.stop_timeout_s + 5
        while sum(running.values()) != users or len(running) < len(self._generators.pids):
            tick = self._next_tick()
            running[tick.index] = tick.users
            if self._generators.now() > deadline:
                raise CannotStart(f"The load generator has {sum(running.values())} users instead of {users}.")

    def _drain(self) -> None:
        """Nothing is due any more; wait until all that was sent is answered."""
        self._generators.start_open_load(0)
        self._is_open = True
        begin = self._generators.now()
        in_flight: dict[int, int] = {}
        while self._generators.now() < begin + self._plan.stop_timeout_s:
            tick = self._next_tick()
            if tick.begin >= begin:
                in_flight[tick.index] = tick.in_flight
            if len(in_flight) == len(self._generators.pids) and not sum(in_flight.values()):
                return

    def _settle(self, answers: int) -> None:
        """Let some time pass, and so many answers, before anything counts."""
        begin, seen = self._generators.now(), 0
        while self._generators.now() < begin + self._plan.settle_s or (
            seen < answers and self._generators.now() < begin + max(self._plan.step_s, self._longest_s / 2)
        ):
            tick = self._next_tick()
            seen += len(tick.latencies) + sum(tick.failures.values())

    def _measure(self, seconds: float, phase: str, users: int, rate: float | None, answers: int) -> Step:
        begin = self._generators.now()
        ticks: list[Tick] = []
        seen = 0
        longest_s = max(seconds, self._longest_s)
        try:
            passed_s = 0.0
            while passed_s < seconds - _TICK_EDGE_S or (seen < answers and passed_s < longest_s):
                tick = self._next_tick()
                if tick.begin >= begin:
                    ticks.append(tick)
                    seen += len(tick.latencies) + sum(tick.failures.values())
                    passed_s = tick.end - ticks[0].begin
        finally:  # a part of a step is something to report, too
            if ticks:
                self.run.steps.append(self._step(ticks, phase, users, rate))
        return self.run.steps[-1]

    def _step(self, ticks: list[Tick], phase: str, users: int, rate: float | None) -> Step:
        whole = merge_ticks(ticks)
        return Step(
            phase=phase,
            users=users,
            rate=rate,
            whole=whole,
            windows=cut_windows(ticks, self._plan.window_s),
            server=self._watch.measure_server(whole.begin, whole.end),
            machine_busy=self._watch.measure_machine(whole.begin, whole.end),
            backlog=_count_outstanding(ticks[::-1]) - _count_outstanding(ticks),
        )

    def _next_tick(self) -> Tick:
        tick = self._generators.next_tick()
        self._pending.append(tick)
        self._close_windows(tick.end - _TIMELINE_S)
        self._check_server(tick)
        return tick

    def _close_windows(self, until: float) -> None:
        """Make windows of what lies a second or more back: by then each generator has sent its ticks of that time."""
        while self._pending:
            begin = min(tick.begin for tick in self._pending)
            if begin + _TIMELINE_S > until and until != float("inf"):
                return
            inside = [tick for tick in self._pending if tick.begin < begin + _TIMELINE_S - 0.05]
            self._pending = [tick for tick in self._pending if tick.begin >= begin + _TIMELINE_S - 0.05]
            window = merge_ticks(inside)
            self.run.timeline.append((self._phase, window))
            self._on_window(self._phase, window)

    def _check_server(self, tick: Tick) -> None:
        """Stop measuring a server that is gone, or that refuses the token.

        Raises:
            CannotStart: nobody has answered for some seconds.
            Unauthenticated: only 401 and 403 have come for some seconds.
        """
        if tick.latencies.counts:
            self._failing.clear()
            return
        if tick.failures:
            self._failing.append(tick)
        if not self._failing or tick.end - self._failing[0].begin < _GIVE_UP_S:
            return
        # The server's last answers may have broken off in other ways: only the recent failures count.
        lately = [failed for failed in self._failing if failed.begin > tick.end - _GIVE_UP_S] or self._failing
        reasons = {reason.partition(": ")[2] for failed in lately for reason in failed.failures}
        if all(reason.startswith("no answer") for reason in reasons):
            raise CannotStart("The server is gone: it no longer answers. See its own messages or its log.")
        if all(reason.startswith(("401", "403")) for reason in reasons):
            raise Unauthenticated("The server refuses the token now: it was revoked or has expired.")


def _count_outstanding(ticks: list[Tick]) -> int:
    """Requests that are due or in flight, by the first tick of each generator."""
    first = {tick.index: tick for tick in reversed(ticks)}
    return sum(tick.waiting + tick.in_flight for tick in first.values())
