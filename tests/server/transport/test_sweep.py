"""One timer looks after all connections, and blames nobody for a time in which the server stood still."""

import asyncio
import time

from cvserve.server.transport.sweep import Sweep


class Visited:
    """A connection that notes when it was visited, and leaves after some visits."""

    def __init__(self, sweep: Sweep, visits: int, fails: bool = False) -> None:
        self._sweep, self._visits, self._fails = sweep, visits, fails
        self.times_s: list[float] = []
        self.is_done = asyncio.Event()
        sweep.join(self, asyncio.get_running_loop())

    def check_clock(self, now_s: float) -> None:
        self.times_s.append(now_s)
        if len(self.times_s) == self._visits:
            self._sweep.leave(self)
            self.is_done.set()
        if self._fails:
            raise RuntimeError("a fault of one connection")


def test_every_connection_is_visited_until_it_leaves() -> None:
    async def run() -> None:
        sweep = Sweep(0.01)
        first, second = Visited(sweep, 2), Visited(sweep, 5)
        await asyncio.wait_for(second.is_done.wait(), 30)
        assert len(first.times_s) == 2
        assert second.times_s == sorted(set(second.times_s))
        again = Visited(sweep, 1)  # the timer was stopped: nobody was there
        await asyncio.wait_for(again.is_done.wait(), 30)

    asyncio.run(run())


def test_clock_stands_still_while_the_event_loop_does() -> None:
    async def run() -> None:
        connection = Visited(Sweep(0.01), 3)
        time.sleep(0.5)  # noqa: ASYNC251 - the loop stands still
        await asyncio.wait_for(connection.is_done.wait(), 30)
        assert connection.times_s[-1] <= 3 * 0.02 + 1e-9

    asyncio.run(run())


def test_fault_of_one_connection_does_not_end_the_sweep() -> None:
    async def run() -> None:
        sweep = Sweep(0.01)
        for _ in range(5):
            Visited(sweep, 1_000, fails=True)
        good = Visited(sweep, 3)
        await asyncio.wait_for(good.is_done.wait(), 30)

    asyncio.run(run())


def test_tidying_is_asked_for_after_the_last_connection() -> None:
    async def run() -> None:
        asked: list[int] = []
        done = asyncio.Event()

        def tidy() -> bool:
            asked.append(1)
            if len(asked) == 5:
                done.set()
            return len(asked) < 5

        Visited(Sweep(0.01, tidy), 1)
        await asyncio.wait_for(done.wait(), 30)

    asyncio.run(run())
