"""Where in its life a server is."""

from dataclasses import dataclass


@dataclass(slots=True)
class Lifecycle:
    """Shared by whoever stops the server and whoever tells of it.

    Attributes:
        is_draining: a stop was asked for; what was accepted is finished, and nothing else is begun.
    """

    is_draining: bool = False
