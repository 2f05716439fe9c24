"""Many requests begin a few at a time, those of refused connections last, and refusals are followed by a rest."""

import asyncio
import contextlib
import functools
from pathlib import Path

import uvloop

from cvserve.server.transport.turnstile import MANY_CONNECTIONS, Standing, Turnstile
from support.fakes import GatedPredictor
from support.pictures import grey
from support.raw import RawConnection
from support.threaded import ThreadedServer
from support.waiting import wait_until


def test_so_many_begin_in_a_turn_by_turns_and_those_that_were_refused_before_come_last() -> None:
    async def pass_many() -> list[list[str]]:
        turnstile = Turnstile(a_turn=3)
        turns: list[list[str]] = [[]]

        def begin(name: str) -> bool:
            turns[-1].append(name)
            return False

        for standing in (Standing.REFUSED, Standing.NEW, Standing.ADMITTED):
            for _ in range(8):
                turnstile.pass_through(functools.partial(begin, standing.name), standing)
        while sum(map(len, turns)) < 24:
            turns.append([])
            await asyncio.sleep(0)
        return turns

    turns = uvloop.run(pass_many())
    assert max(map(len, turns)) <= 3
    begun = [name for turn in turns for name in turn]
    waited = begun[3:]  # nobody waited before the third
    assert sorted(waited[0:2]) == sorted(waited[2:4]) == sorted(waited[14:16]) == ["ADMITTED", "NEW"]
    assert waited[16:] == ["REFUSED"] * 5


def test_refusals_are_followed_by_a_rest_in_which_only_others_begin() -> None:
    """A refusal takes 10 ms by this clock, so after four of them nobody who was refused before begins for 280 ms."""

    async def refuse() -> list[tuple[str, float]]:
        clock_s = 0.0
        turnstile = Turnstile(a_turn=4, clock=lambda: clock_s)
        begun: list[tuple[str, float]] = []
        loop = asyncio.get_running_loop()

        def begin(name: str) -> bool:
            nonlocal clock_s
            begun.append((name, loop.time()))
            clock_s += 0.01
            return name == "refused"

        for _ in range(5):
            turnstile.pass_through(functools.partial(begin, "refused"), Standing.REFUSED)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        turnstile.pass_through(functools.partial(begin, "other"), Standing.ADMITTED)
        while len(begun) < 6:  # noqa: ASYNC110 - a turn of the loop is what is waited for
            await asyncio.sleep(0)
        return begun

    begun = uvloop.run(refuse())
    assert [name for name, _ in begun] == ["refused"] * 4 + ["other", "refused"]
    assert begun[5][1] - begun[3][1] >= 0.2


def test_what_is_urgent_waits_for_nobody_unless_it_was_refused_and_a_fault_holds_up_nobody() -> None:
    async def pass_some() -> list[str]:
        turnstile = Turnstile(a_turn=1)
        begun: list[str] = []

        def begin(name: str) -> bool:
            begun.append(name)
            if name == "faulty":
                raise ValueError(name)
            return False

        for name in ("first", "faulty", "next"):
            turnstile.pass_through(functools.partial(begin, name), Standing.NEW)
        turnstile.pass_through(functools.partial(begin, "urgent, refused before"), Standing.REFUSED, is_urgent=True)
        turnstile.pass_through(functools.partial(begin, "urgent"), Standing.NEW, is_urgent=True)
        for _ in range(10):
            await asyncio.sleep(0)
        return begun

    assert uvloop.run(pass_some()) == ["first", "urgent", "faulty", "next", "urgent, refused before"]


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


def test_pipelined_requests_among_many_connections_are_all_answered_in_order(tmp_path: Path) -> None:
    server = ThreadedServer(tmp_path, GatedPredictor(), workers=0)
    try:
        with contextlib.ExitStack() as stack:
            for _ in range(MANY_CONNECTIONS + 1):
                stack.enter_context(RawConnection(server.url))
            wait_until(lambda: len(server.connections) > MANY_CONNECTIONS)
            for token in (server.token, "wrong"):
                raw = stack.enter_context(RawConnection(server.url))
                one = "GET /predict/1 HTTP/1.1\r\nHost: x\r\nAuthorization: {}\r\nX-Request-ID: n{}\r\n\r\n"
                raw.send("".join(one.format(token, number) for number in range(10)).encode())
                assert [raw.answer().headers["x-request-id"] for _ in range(10)] == [f"n{n}" for n in range(10)]
    finally:
        server.stop()
