"""Many requests begin a few at a time, the first of a connection before others, and refusals are followed by a rest."""

import asyncio
import contextlib
from pathlib import Path

import uvloop

from cvserve.server.transport.turnstile import MANY_CONNECTIONS, Turnstile
from support.fakes import GatedPredictor
from support.pictures import grey
from support.raw import RawConnection
from support.threaded import ThreadedServer
from support.waiting import wait_until


def test_so_many_begin_in_a_turn_and_first_requests_before_others() -> None:
    async def pass_many() -> list[list[str]]:
        turnstile = Turnstile(a_turn=3)
        turns: list[list[str]] = [[]]
        for number in range(8):
            for name, goes_first in ((f"other {number}", False), (f"first {number}", True)):
                turnstile.pass_through(lambda name=name: turns[-1].append(name), goes_first=goes_first)  # type: ignore[misc]
        while sum(map(len, turns)) < 16:
            turns.append([])
            await asyncio.sleep(0)
        return turns

    turns = uvloop.run(pass_many())
    assert max(map(len, turns)) <= 3
    begun = [name for turn in turns for name in turn]
    waited = begun[3:]  # nobody waited before the third
    assert waited == sorted(waited)


def test_many_refusals_are_followed_by_a_rest_that_lasts_longer_than_the_turn() -> None:
    async def refuse() -> list[float]:
        turnstile = Turnstile(a_turn=4, many_refusals=4)
        begun_at: list[float] = []
        loop = asyncio.get_running_loop()

        def begin() -> None:
            begun_at.append(loop.time())
            turnstile.note_refusal()
            if len(begun_at) == 4:
                while loop.time() < begun_at[0] + 0.002:
                    pass  # a turn that takes a moment

        for _ in range(5):
            turnstile.pass_through(begin, goes_first=False)
        while len(begun_at) < 5:  # noqa: ASYNC110 - a turn of the loop is what is waited for
            await asyncio.sleep(0)
        return begun_at

    begun_at = uvloop.run(refuse())
    assert begun_at[4] - begun_at[3] > begun_at[3] - begun_at[0]


def test_thousands_that_are_refused_leave_health_checks_and_accepted_work_alone(tmp_path: Path) -> None:
    """The queue is full and every connection asks again at once; who was accepted is answered all the same."""
    predictor = GatedPredictor()
    server = ThreadedServer(tmp_path, predictor, max_queue=4, workers=0)
    try:
        with contextlib.ExitStack() as stack:
            asking = [stack.enter_context(RawConnection(server.url)) for _ in range(MANY_CONNECTIONS + 70)]
            for raw in asking:
                raw.request("POST", "/predict", token=server.token, body=grey(0))
            wait_until(lambda: len(server.log_lines()) > MANY_CONNECTIONS)
            with RawConnection(server.url) as early:  # a body that has no place is not waited for
                early.request("POST", "/predict", "Content-Length: 1000", token=server.token)
                assert early.answer().json()["code"] == "overloaded"
            with RawConnection(server.url) as live:
                assert live.request("GET", "/livez", token=server.token).answer().status == 200
            predictor.gate.set()
            statuses = [raw.answer().status for raw in asking]
            assert set(statuses) == {200, 503}
            again = [raw.request("GET", "/livez", token=server.token) for raw in asking]
            assert {raw.answer().status for raw in again} == {200}
    finally:
        predictor.gate.set()
        server.stop()
