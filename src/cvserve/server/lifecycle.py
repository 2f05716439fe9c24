"""Whether the server is stopping, and why it could not start: what all layers share."""

from dataclasses import dataclass

from cvserve.errors import CvserveError


@dataclass(slots=True)
class Lifecycle:
    """Set by whoever stops the server, read by every layer that behaves differently from then on.

    Attributes:
        is_draining: a stop was asked for. Requests that were accepted are finished, each answer closes its
            connection, `/readyz` says 503, and nothing new is accepted.
        failure: why the start has failed; None while it has not.
    """

    is_draining: bool = False
    failure: CvserveError | None = None
