"""Places are shared among owners, not among requests."""

import asyncio

import pytest

from cvserve.errors import Overloaded
from cvserve.server.turns import Turns


def test_an_owner_with_much_to_do_delays_another_by_one_turn() -> None:
    async def check() -> None:
        turns = Turns(places=1, places_of_one=1, max_waiting=100)
        waiting = [(name, turns.ask(name)) for name in "a" * 20 + "b" * 3]
        order = ""
        while waiting:
            name, turn = next((name, turn) for name, turn in waiting if turn.done())
            waiting.remove((name, turn))
            order += name
            turns.leave(name)
        assert order == "aababab" + "a" * 16

    asyncio.run(check())


def test_an_owner_has_its_share_and_the_rest_stays_free() -> None:
    async def check() -> None:
        turns = Turns(places=4, places_of_one=2, max_waiting=10)
        first = [turns.ask("a") for _ in range(5)]
        assert [turn.done() for turn in first] == [True, True, False, False, False]
        assert turns.ask("b").done()
        assert turns.ask("c").done()
        assert not turns.ask("d").done()

    asyncio.run(check())


def test_who_gives_up_leaves_no_hole() -> None:
    async def check() -> None:
        turns = Turns(places=1, places_of_one=1, max_waiting=10)
        turns.ask("a")
        gone, next_one = turns.ask("a"), turns.ask("a")
        gone.cancel()
        turns.leave("a")
        assert next_one.done()
        turns.leave("a")
        assert turns.ask("b").done()

    asyncio.run(check())


def test_too_many_of_one_owner_are_refused_at_once_and_others_are_not() -> None:
    async def check() -> None:
        turns = Turns(places=1, places_of_one=1, max_waiting=2)
        for _ in range(3):
            turns.ask("a")
        with pytest.raises(Overloaded, match="try again") as refused:
            turns.ask("a")
        assert refused.value.reason == "history_turn"
        turns.ask("a", is_bounded=False)
        turns.ask("b")

    asyncio.run(check())


def test_requests_without_a_token_have_one_owner_like_any_other() -> None:
    async def check() -> None:
        turns = Turns(places=1, places_of_one=1, max_waiting=2)
        first, second, other = turns.ask(None), turns.ask(None), turns.ask(1)
        assert first.done()
        turns.leave(None)
        assert (second.done(), other.done()) == (True, False)
        turns.leave(None)
        assert other.done()

    asyncio.run(check())
