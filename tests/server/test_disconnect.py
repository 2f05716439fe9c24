"""Whether a client has left, asked without waiting: known of uvicorn's connections, polled elsewhere."""

import asyncio
from collections.abc import Generator
from typing import Any

import pytest

from cvserve.server.context import Message, Receive
from cvserve.server.disconnect import has_left


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
