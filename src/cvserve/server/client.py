"""The client's end of the connection."""

from cvserve.server.context import Receive


class ClientGone(Exception):
    """The client closed the connection before it sent or heard everything."""


def has_left(receive: Receive) -> bool:
    """Whether the client has closed the connection, asked without waiting.

    ASGI tells of it only to somebody who waits in `receive`. One step of that coroutine shows whether the news
    is there already; else it is closed again. What is left of the body is swallowed: to be asked only when
    nobody will read it.
    """
    # The first step may still give the (empty) body of a GET.
    return any(_next_message(receive) == "http.disconnect" for _ in range(2))


def _next_message(receive: Receive) -> str | None:
    waiting = receive()
    step = getattr(waiting, "send", None)
    if step is None:
        return None
    try:
        step(None)
    except StopIteration as news:
        return str(news.value["type"])
    except RuntimeError:
        return None
    waiting.close()  # type: ignore[attr-defined]
    return None
