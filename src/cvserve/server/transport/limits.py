"""How much and how long a connection may do each thing; the sizes of a head are in `head.py`."""

from dataclasses import dataclass
from typing import Self

from cvserve.settings import Settings

# No limit of the app's own is reached later: the engine tries a picture again, and the history waits for a lock.
_WORK_TIMES = 4
_WORK_MORE_S = 60.0
# From the signal to stop on, every open connection may still send one request.
LAST_REQUEST_S = 2.0


@dataclass(frozen=True, kw_only=True)
class ConnectionLimits:
    """Times and rates of one connection.

    Attributes:
        head_s: for the head of a request to arrive; of the first one from the beginning of the connection.
        idle_s: between two requests.
        grace_s: nobody is asked for a rate before; a connection may also bank so many seconds by being quicker.
        body_rate: bytes a second at which a body must come, on the average.
        read_rate: bytes a second at which an answer must be taken, on the average.
        leftover_s: without a byte of a body that nobody wants any more.
        leftover_most_s: for all of such a body.
        work_s: for the app, without a byte of its answer: a net below the limits that the app has itself.
        last_request_s: for one more request behind an answer that was under way when the server was to stop.
        sweep_s: between two looks at the clocks.
    """

    head_s: float = 10.0
    idle_s: float = 5.0
    grace_s: float = 10.0
    body_rate: float = 8192.0
    read_rate: float = 8192.0
    leftover_s: float = 5.0
    leftover_most_s: float = 30.0
    work_s: float = 180.0
    last_request_s: float = LAST_REQUEST_S
    sweep_s: float = 0.5

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """What the settings say."""
        return cls(
            body_rate=settings.min_body_rate,
            read_rate=settings.min_read_rate,
            work_s=_WORK_TIMES * settings.predict_timeout + _WORK_MORE_S,
        )
