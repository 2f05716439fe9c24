"""One connection from its beginning to its end: its clock, its answers, its requests that wait."""

import asyncio
import functools
import math
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from cvserve.errors import CvserveError, RequestTimeout
from cvserve.server.context import KEY, RequestContext, content_length, route_path
from cvserve.server.problems import RETRY_AFTER_S
from cvserve.server.routes import HEALTH_PATHS
from cvserve.server.transport.clock import Clock, State
from cvserve.server.transport.frames import Frames
from cvserve.server.transport.outlet import Outlet
from cvserve.server.transport.refusal import CLOSE
from cvserve.server.transport.shared import Shared
from cvserve.server.transport.turnstile import MANY_CONNECTIONS, Standing

_OVERLOADED = 503
_REFUSED = (401, 429, _OVERLOADED)
# What was sent in the last moment of a time is still on its way when it ends.
_LATER_S = 0.1
# Less of a body is dropped in no time, and the next request on the connection may be another client's of a proxy.
_MUCH_BYTES = 128 * 1024


class Connection(HttpToolsProtocol):
    """What does not depend on the bytes that come; `protocol.py` reads these.

    Args:
        *arguments, **named: passed on to uvicorn's class.
        shared: what all connections of a server have in common.
    """

    transport: Any  # an `Outlet`
    cycle: Any  # a `Cycle`; None before the first request

    def __init__(self, *arguments: Any, shared: Shared, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._shared = shared
        self._clock = Clock(shared.allowances)
        self._frames = Frames()
        self._turn = 0  # grows with each head and each answer
        self._in_head = True
        self._head_bytes = 0  # of one that is not complete
        self._heads_read = 0
        self._received_bytes = 0
        self._waiting_answer_bytes = 0
        self._ignores_input = False
        self._is_draining = False
        self._promised_until_s = 0.0
        self._current: Any = None  # the cycle that was begun last, or waits for that

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock."""
        super().connection_made(transport)
        self.transport = Outlet(transport, self._may_receive_more, self._ignore_input)
        self._shared.sweep.join(self, self.loop)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of all that was kept for this connection, then clean up as uvicorn does."""
        self._shared.sweep.leave(self)
        super().connection_lost(exc)
        if self._current is not None:
            self._current.drop_body()
            self._current.disconnected = not self._current.response_complete
            self._current.message_event.set()
        for cycle, _ in self.pipeline:
            cycle.drop_body()  # type: ignore[attr-defined]
        self.pipeline.clear()
        self._count_waiting_answer(0)

    def on_response_complete(self) -> None:
        """Go on with the next request that waits, or with reading."""
        self.server_state.total_requests += 1
        self._turn += 1
        if self.transport.is_closing():
            return
        if self.pipeline:
            self.flow.resume_reading()
            self._begin(self.pipeline.pop()[0])
            return
        if self._is_draining:
            self._hear_last_request()
        if self._in_head:
            self.flow.resume_reading()
        else:
            self._read_leftover()

    def _hear_last_request(self) -> None:
        """Give a long answer that began before the stop the time for a request behind it that others had before."""
        last_request_s = self._shared.limits.last_request_s
        self._promised_until_s = self.loop.time() + last_request_s
        self.loop.call_later(last_request_s + _LATER_S, self.close_if_idle)

    def pause_writing(self) -> None:
        """Count an answer that the client does not take; the app waits before it sends more."""
        super().pause_writing()
        self._count_waiting_answer(self.transport.count_waiting_bytes())

    def resume_writing(self) -> None:
        """The client has taken what waited."""
        super().resume_writing()
        self._count_waiting_answer(0)

    def shutdown(self) -> None:
        """Stop: finish the request that runs, or wait for one that is on its way, until `close_if_idle` is called."""
        self._is_draining = True
        # A head that has left without `Connection: close` has promised that one more request may be sent.
        if not self._is_idle and not self.cycle.response_started:
            super().shutdown()

    def close_if_idle(self) -> None:
        """End a connection on which no request runs or has begun to arrive, and none was promised to be heard."""
        if self._is_idle and not self._head_bytes and self.loop.time() >= self._promised_until_s:
            self.transport.finish()

    def check_clock(self, now_s: float) -> None:
        """End what has lasted too long; called by the sweep."""
        state, moved_bytes = self._find_state()
        is_over = self._clock.is_over(now_s, state, self._turn, moved_bytes)
        # An answer that nobody takes has no grace while it leaves no room for others.
        is_in_the_way = state is State.ANSWER and self._clock.stands_still and self._shared.budget.is_exceeded
        if not is_over and not is_in_the_way:
            return
        limits = self._shared.limits
        if state is State.HEAD and self._head_bytes:
            self._refuse(RequestTimeout(f"The request's head did not arrive within {limits.head_s:g} s."))
        elif state is State.BODY:
            rate = f"{limits.body_rate:,.0f} bytes a second"
            self._refuse(RequestTimeout(f"The body came at less than {rate}; send it again over a quicker line."))
        elif self._is_draining and state in (State.HEAD, State.IDLE):
            return  # it has a time of its own now: until `close_if_idle`
        elif state in (State.HEAD, State.IDLE, State.LEFTOVER):
            self.transport.finish()
        else:
            self.transport.reset()

    def _find_state(self) -> tuple[State, int]:
        """What the connection is doing, and how many bytes have been moved in that."""
        outlet, cycle = self.transport, self.cycle
        if outlet.count_waiting_bytes():
            return State.ANSWER, outlet.count_taken_bytes()
        if outlet.is_lingering:
            return State.LEFTOVER, self._received_bytes
        if outlet.is_closing():
            return State.CLOSING, 0
        if cycle is not None and not cycle.response_complete:
            awaits = self._in_head or cycle.waiting_for_100_continue or self.flow.read_paused
            return (State.WORKING, outlet.count_taken_bytes()) if awaits else (State.BODY, self._received_bytes)
        if not self._in_head:
            return State.LEFTOVER, self._received_bytes
        return (State.IDLE if self._heads_read and not self._head_bytes else State.HEAD), 0

    @property
    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _count_waiting_answer(self, size_bytes: int) -> None:
        self._shared.budget.count_change(size_bytes - self._waiting_answer_bytes)
        self._waiting_answer_bytes = size_bytes

    def _may_receive_more(self) -> bool:
        return self._ignores_input or not self._in_head or self.flow.read_paused

    def _ignore_input(self) -> None:
        self._ignores_input = True
        self._read_leftover()

    def _read_leftover(self) -> None:
        """Read on what nobody wants; much behind a 503 only later, else who comes at once keeps the server busy."""
        scope = self.cycle.scope if self.cycle is not None else {}
        context = scope.get(KEY)
        is_overloaded = context is not None and context.status == _OVERLOADED
        if is_overloaded and (content_length(scope) or math.inf) - self._frames.body_bytes > _MUCH_BYTES:
            self.flow.pause_reading()
            self.loop.call_later(RETRY_AFTER_S, self.flow.resume_reading)
        else:
            self.flow.resume_reading()

    def _begin(self, cycle: Any) -> None:
        """Begin a request, or have it wait for its turn when many clients ask."""
        before, self._current = self._current, cycle
        if len(self.connections) <= MANY_CONNECTIONS:
            self._start_asgi_task(cycle, self.app)
            return
        scope = cycle.scope
        self._shared.contexts.find(scope)  # the request's time begins here
        begin = functools.partial(self._begin_or_shed, cycle)
        is_urgent = route_path(scope) in HEALTH_PATHS
        self._shared.turnstile.pass_through(begin, _find_standing(before), is_urgent=is_urgent)

    def _begin_or_shed(self, cycle: Any) -> bool:
        """Begin a request, or refuse it where its head is enough for that; tells whether it was refused."""
        shared = self._shared
        # What has to wait until its client has read other answers waits in the app.
        can_answer = not (cycle.disconnected or self.flow.write_paused or self.transport.is_closing())
        error = shared.shedder.find_refusal(cycle.scope) if can_answer else None
        if error is None:
            self._start_asgi_task(cycle, self.app)
            return False
        head, body, logged = shared.refusals.write_soon(error, cycle.scope, self.server_state.default_headers)
        cycle.is_refused = True
        logged.add_done_callback(functools.partial(self._send_refusal, cycle, head, body))
        return True

    def _send_refusal(self, cycle: Any, head: bytes, body: bytes, logged: "asyncio.Future[None]") -> None:
        cycle.drop_body()
        cycle.response_started = cycle.response_complete = True
        if logged.exception() is not None:  # no answer is without its line
            self.transport.reset()
        if cycle.disconnected or self.transport.is_closing():
            return
        self.transport.write(head + (b"" if cycle.keep_alive else CLOSE) + b"\r\n" + body)
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def _refuse(self, error: CvserveError) -> None:
        """Ignore all further bytes, and answer with an error unless an answer is under way already."""
        self._ignores_input = True
        cycle = self.cycle
        of_this_message = cycle is not None and cycle.scope is self.scope
        if cycle is not None and not cycle.response_complete and (cycle.is_refused or not of_this_message):
            cycle.keep_alive = False  # what was said to earlier bytes is sent first, then the connection ends
        elif of_this_message and (cycle.response_started or self.pipeline):
            self.transport.close()
        else:
            self._answer(error)
            if of_this_message:  # the app waits for the rest of a body that will not come
                cycle.drop_body()
                cycle.disconnected = True
                cycle.message_event.set()

    def _answer(self, error: CvserveError) -> None:
        scope: Any = self.scope if self.scope is not None else {}
        scope.setdefault("raw_path", getattr(self, "url", b"").partition(b"?")[0])
        client = self.client[0] if self.client else "-"
        self.transport.write(self._shared.refusals.write(error, scope, client, self.server_state.default_headers))
        self.transport.close()


def _find_standing(before: Any) -> Standing:
    """What the request before says of a connection: whether it was told to come again later, or with a token."""
    if before is None:
        return Standing.NEW
    context: RequestContext | None = before.scope.get(KEY)
    return Standing.REFUSED if context is not None and context.status in _REFUSED else Standing.ADMITTED
