"""What is known of a connection without waiting: that the client has closed its end, or that a body is complete."""

from types import CoroutineType

from cvserve.server.context import Message, Receive

# The first message may still be the (empty) body of a GET.
_MAX_MESSAGES = 2


class ClientGone(Exception):
    """The client closed the connection before it had sent its request or read its answer completely."""


def has_left(receive: Receive) -> bool:
    """Tell whether the client has closed the connection, without waiting.

    ASGI gives this news only to somebody who waits in `receive`. uvicorn also keeps it in an attribute `disconnected`
    of the object that `receive` is a method of, and so does our access log's layer; elsewhere (another server, a layer
    of an outer app) `receive` is polled. Whatever is left of the body is lost then: ask only when nobody will read it.

    Args:
        receive: the request's ASGI callable.
    """
    known = getattr(getattr(receive, "__self__", None), "disconnected", None)
    if isinstance(known, bool):
        return known
    for _ in range(_MAX_MESSAGES):
        message = _poll(receive)
        if message is None:
            return False
        if message["type"] == "http.disconnect":
            return True
    return False


def has_come(receive: Receive) -> bool:
    """Tell whether all of the request's body is here, so that reading it will not wait; False where nobody knows.

    uvicorn keeps it in an attribute `more_body` of the object that `receive` is a method of, as our access log's layer.

    Args:
        receive: the request's ASGI callable.
    """
    return getattr(getattr(receive, "__self__", None), "more_body", True) is False


def _poll(receive: Receive) -> Message | None:
    """The next message if it is there already; None where one would have to wait for it.

    A coroutine that has something to give ends in its first step. One that has not is closed again: a task that waits
    for it instead would swallow the next message.
    """
    waiting = receive()
    if not isinstance(waiting, CoroutineType):
        return None
    try:
        waiting.send(None)
    except StopIteration as end:
        message: Message = end.value
        return message
    except RuntimeError:
        return None  # somebody else waits in it already
    waiting.close()
    return None
