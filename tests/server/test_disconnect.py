"""Whether a client has left, asked without waiting: known of uvicorn's connections, and never guessed of others."""

from typing import Any

import pytest

from cvserve.server.disconnect import has_left


class Connection:
    """Has the method and the attribute that uvicorn's has."""

    def __init__(self, disconnected: Any) -> None:
        self.disconnected = disconnected

    async def receive(self) -> dict[str, Any]:
        raise AssertionError("asked for a message")


@pytest.mark.parametrize(("disconnected", "expected"), [(True, True), (False, False), ("a text of others", False)])
def test_a_connection_that_knows_it_is_asked(disconnected: object, expected: bool) -> None:
    assert has_left(Connection(disconnected).receive) is expected


def test_a_callable_of_somebody_else_is_not_called() -> None:
    async def receive() -> dict[str, Any]:
        raise AssertionError("asked for a message")

    assert has_left(receive) is False
