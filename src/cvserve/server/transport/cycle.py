"""One request and its answer: uvicorn's, with a body that counts in the budget of all connections."""

from collections.abc import Coroutine
from typing import Any, cast

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from cvserve.server.byte_budget import ByteBudget
from cvserve.server.context import Scope, content_length

# The rest of a body that is not wanted is read and dropped where all of it is no larger; else the connection ends.
_DROPPED_BYTES = 16 * 1024**2
_REQUEST_TIMEOUT = 408


class Cycle(RequestResponseCycle):
    """What the app receives from and sends to.

    Args:
        budget: counts what has come of the body and was not given to the app yet.
        **named: of uvicorn's class.

    Attributes:
        is_refused: a refusal was decided, and its line is about to be written.
    """

    def __init__(self, *, budget: ByteBudget, **named: Any) -> None:
        super().__init__(**named)
        self._budget = budget
        self._pieces: list[bytes] = []
        self._waiting_bytes = 0
        self._drops_body = False
        self.is_refused = False
        self._refused_bytes = 0

    def add_body(self, piece: bytes, body_bytes: int) -> None:
        """Take a piece that has come, unless nobody will want it or there is no room for it.

        Args:
            piece: of the body.
            body_bytes: that have come of it with this piece.
        """
        if self._drops_body or self.response_complete:
            return
        if not self._budget.take(len(piece)):
            self.drop_body()
            self._refused_bytes = body_bytes
        else:
            self._pieces.append(piece)
            self._waiting_bytes += len(piece)
            if self._waiting_bytes > HIGH_WATER_LIMIT:
                self.flow.pause_reading()
        self.message_event.set()

    def send(self, message: Any) -> Coroutine[Any, Any, None]:
        """Send a piece of the answer; as uvicorn's.

        An answer may come before the end of the body. How the connection goes on is decided here and by `Connection`,
        so that the client hears the answer: it sends the rest, which is dropped, or the connection ends in two steps.
        """
        if self.more_body and not self.response_started and self._must_end(message):
            self.keep_alive = False
        return super().send(message)

    def drop_body(self) -> None:
        """Keep nothing of the body, neither what has come nor what will."""
        self._drops_body = True
        self._take_pieces()

    async def run_asgi(self, app: Any) -> None:
        """Have the app answer."""
        try:
            await super().run_asgi(app)
        finally:
            self.drop_body()

    async def receive(self) -> Any:
        """What has come of the body, or the news that the client has left; as uvicorn's.

        Raises:
            PayloadTooLarge, Overloaded: there was no room for it.
        """
        if self.waiting_for_100_continue and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.waiting_for_100_continue = False
        if not self.disconnected and not self.response_complete:
            self.flow.resume_reading()
            await self.message_event.wait()
            self.message_event.clear()
        if self._refused_bytes:
            raise self._budget.make_error(self._refused_bytes)
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": self._take_pieces(), "more_body": self.more_body}

    def _must_end(self, message: Any) -> bool:
        """Whether the connection ends behind an answer: too much is to come, nobody knows how much, or too slowly.

        Who waits for "100 Continue" may send the body or another request (RFC 9110 section 10.1.1): nobody can tell.
        """
        if self.waiting_for_100_continue:
            return True
        size_bytes = content_length(cast("Scope", self.scope))
        return size_bytes is None or size_bytes > _DROPPED_BYTES or message.get("status") == _REQUEST_TIMEOUT

    def _take_pieces(self) -> bytes:
        pieces = self._pieces
        if not pieces:
            return b""
        self._budget.give_back(self._waiting_bytes)
        self._pieces, self._waiting_bytes = [], 0
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)
