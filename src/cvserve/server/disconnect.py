"""The client's end of the connection."""

import asyncio
from collections.abc import Coroutine, Generator
from types import CoroutineType, coroutine
from typing import Any

from cvserve.server.context import Message, Receive


class ClientGone(Exception):
    """The client closed the connection before it sent or heard everything."""


def has_left(receive: Receive) -> bool:
    """Whether the client has closed the connection, asked without waiting.

    uvicorn's own `receive`, and ours around it, belong to objects that know it. Of other servers, ASGI tells it only
    to somebody who waits in `receive`: one step of that coroutine shows whether the news is there already; else
    it is closed again. What is left of the body is swallowed then: to be asked only when nobody will read it.
    """
    known = getattr(getattr(receive, "__self__", None), "disconnected", None)
    if isinstance(known, bool):
        return known
    # The first step may still give the (empty) body of a GET.
    for _ in range(2):
        message = _message_at_hand(receive)
        if message is None:
            return False
        if message["type"] == "http.disconnect":
            return True
    return False


async def next_message(receive: Receive, timeout_s: float) -> Message:
    """What `receive` gives, where it must be within `timeout_s`.

    Nearly every body is there when it is asked for, and a timer costs more than taking it.

    Raises:
        TimeoutError: it did not come in time.
    """
    waiting = receive()
    if not isinstance(waiting, CoroutineType):
        async with asyncio.timeout(timeout_s):
            return await waiting
    try:
        first = waiting.send(None)
    except StopIteration as news:
        at_once: Message = news.value
        return at_once
    async with asyncio.timeout(timeout_s):
        return await _rest_of(waiting, first)


@coroutine
def _rest_of(waiting: Coroutine[Any, None, Message], first: Any) -> Generator[Any, None, Message]:
    """Go on with a coroutine whose first step was made already, and gave `first` to wait for."""
    try:
        yield first
    except BaseException:
        waiting.close()
        raise
    message: Message = yield from waiting
    return message


def _message_at_hand(receive: Receive) -> Message | None:
    waiting = receive()
    if not isinstance(waiting, CoroutineType):
        return None
    try:
        waiting.send(None)
    except StopIteration as news:
        message: Message = news.value
        return message
    except RuntimeError:
        return None
    waiting.close()
    return None
