"""What is asked without waiting: whether a client has left, and whether all of a body is here."""

import asyncio
from collections.abc import Generator
from typing import Any

import pytest

from cvserve.errors import RequestTimeout
from cvserve.server.byte_budget import ByteBudget
from cvserve.server.context import Message, Receive
from cvserve.server.disconnect import has_left
from cvserve.server.uploads import read_body


class Connection:
    """Has the method and the attribute that uvicorn's has."""

    def __init__(self, disconnected: Any) -> None:
        self.disconnected = disconnected

    async def receive(self) -> dict[str, Any]:
        raise AssertionError("asked for a message")


@pytest.mark.parametrize(("disconnected", "expected"), [(True, True), (False, False)])
def test_a_connection_that_knows_it_is_asked(disconnected: object, expected: bool) -> None:
    assert has_left(Connection(disconnected).receive) is expected


def messages(*kinds: str) -> Receive:
    """The `receive` of another server, with the messages that have come; then it waits."""
    left = list(kinds)

    async def receive() -> Message:
        if not left:
            await asyncio.sleep(0)
        return {"type": left.pop(0)}

    return receive


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ((), False),
        (("http.request",), False),
        (("http.disconnect",), True),
        (("http.request", "http.disconnect"), True),
    ],
)
def test_another_server_is_asked_for_what_has_come(kinds: tuple[str, ...], expected: bool) -> None:
    assert has_left(messages(*kinds)) is expected


class Pending:
    """Something to wait for that is no coroutine."""

    def __await__(self) -> Generator[None, None, Message]:
        raise AssertionError("waited for")


def test_an_awaitable_that_cannot_be_polled_is_left_alone() -> None:
    assert has_left(Pending) is False


class SlowBody:
    """A `receive` that takes a turn of the event loop for its only message."""

    async def receive(self) -> Message:
        await asyncio.sleep(0)
        return {"type": "http.request", "body": b"all of it", "more_body": False}


class WaitingBody(SlowBody):
    """As uvicorn's, while the end of the body has not come."""

    more_body = True


class CompleteBody(SlowBody):
    """As uvicorn's, when it has."""

    more_body = False


def read_in_no_time(receive: Receive) -> bytes:
    with ByteBudget(100).open_hold(1) as hold:
        return asyncio.run(read_body({"type": "http", "headers": []}, receive, hold, max_bytes=100, timeout_s=0.0))


def test_body_that_is_here_is_read_without_a_timer() -> None:
    assert read_in_no_time(CompleteBody().receive) == b"all of it"


@pytest.mark.parametrize("body", [WaitingBody(), SlowBody()])
def test_body_that_is_not_or_of_which_nobody_knows_has_its_time(body: SlowBody) -> None:
    with pytest.raises(RequestTimeout):
        read_in_no_time(body.receive)
