"""Whether the client has closed its end of the connection."""

from cvserve.server.context import Receive


class ClientGone(Exception):
    """The client closed the connection before it had sent its request or read its answer completely."""


def has_left(receive: Receive) -> bool:
    """Tell whether the client has closed the connection, without waiting.

    ASGI gives this news only to somebody who waits in `receive`. uvicorn, which runs this app, also keeps it in an
    attribute `disconnected` of the object that `receive` is a method of, and so does the access log's layer of ours.

    Args:
        receive: the request's ASGI callable.

    Returns:
        False also where it cannot be known: another server, or a layer of somebody else's that wraps `receive`. Then
        the answer is made, and that server drops it.
    """
    return getattr(getattr(receive, "__self__", None), "disconnected", False) is True
