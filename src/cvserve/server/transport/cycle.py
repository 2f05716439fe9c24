"""One request and its answer: uvicorn's, with a body that counts in the budget of all connections."""

from typing import Any

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from cvserve.errors import Overloaded
from cvserve.server.byte_budget import ByteBudget


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
        self._did_not_fit = False
        self.is_refused = False

    def add_body(self, piece: bytes) -> None:
        """Take a piece that has come, unless nobody will want it or there is no room for it."""
        if self._drops_body or self.response_complete:
            return
        if not self._budget.take(len(piece)):
            self.drop_body()
            self._did_not_fit = True
        else:
            self._pieces.append(piece)
            self._waiting_bytes += len(piece)
            if self._waiting_bytes > HIGH_WATER_LIMIT:
                self.flow.pause_reading()
        self.message_event.set()

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
            Overloaded: there was no room for it.
        """
        if self.waiting_for_100_continue and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.waiting_for_100_continue = False
        if not self.disconnected and not self.response_complete:
            self.flow.resume_reading()
            await self.message_event.wait()
            self.message_event.clear()
        if self._did_not_fit:
            raise Overloaded(
                "The server holds as many bytes of requests as it may; send the request again in a moment."
            )
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": self._take_pieces(), "more_body": self.more_body}

    def _take_pieces(self) -> bytes:
        pieces = self._pieces
        if not pieces:
            return b""
        self._budget.give_back(self._waiting_bytes)
        self._pieces, self._waiting_bytes = [], 0
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)
