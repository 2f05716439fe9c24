"""Whether the server is stopping: one flag that all layers share."""

from dataclasses import dataclass


@dataclass(slots=True)
class Lifecycle:
    """Set by whoever stops the server, read by every layer that behaves differently from then on.

    Attributes:
        is_draining: a stop was asked for. Requests that were accepted are finished, each answer closes its
            connection, `/readyz` says 503, and nothing new is accepted.
    """

    is_draining: bool = False
