"""uvicorn's server with our listener, our signals and our stop: nothing that was sent in time goes unanswered."""

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import uvicorn

from cvserve.engine import garbage_collector
from cvserve.errors import Overloaded
from cvserve.server.resources import Resources
from cvserve.server.signals import IGNORED, REOPEN, STOP, Terminal, handle_signals
from cvserve.server.transport.listener import Listener, find_max_connections
from cvserve.server.transport.refusal import Refusals

# What was sent in the last moment of that time is still on its way when it ends.
_ON_ITS_WAY_S = 0.1
_POLL_S = 0.02
_TICK_S = 1.0


class Server(uvicorn.Server):
    """One server, from its start to its end.

    Args:
        config: of uvicorn.
        resources: what the app holds.
        refusals: makes the answer to one connection too many.
        on_started: called once the port answers.
        last_request_s: seconds that an open connection has for a last request once the server is to stop.

    Attributes:
        stopped_by: number of the signal that has stopped it; 0 without one.
        forced_by: number of the second signal, which ended the server at once; 0 without one.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        resources: Resources,
        refusals: Refusals,
        on_started: Callable[[], object],
        last_request_s: float,
    ) -> None:
        super().__init__(config)
        self.stopped_by = self.forced_by = 0
        self._resources = resources
        self._refusals = refusals
        self._on_started = on_started
        self._last_request_s = last_request_s
        self._terminal = Terminal()
        self._listener: Listener | None = None  # made when the app has started
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop_asked = asyncio.Event()
        self._reopens_soon = False

    def stop(self) -> None:
        """Stop gracefully, from any thread; from now on `/readyz` answers 503."""
        self._resources.lifecycle.is_draining = True
        self.should_exit = True
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended already
                self._loop.call_soon_threadsafe(self._stop_asked.set)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the app, then listen and call `on_started`. A signal ends the start: then `started` stays False."""
        self._loop = asyncio.get_running_loop()
        self.servers = []  # uvicorn's own, of which there are none
        if self.should_exit:
            return
        with self._silence_known_failure():
            starting = self._loop.create_task(self.lifespan.startup())
            stop = self._loop.create_task(self._stop_asked.wait())
            await asyncio.wait((starting, stop), return_when=asyncio.FIRST_COMPLETED)
        is_ready = starting.done() and not self.lifespan.should_exit
        starting.cancel()
        stop.cancel()
        if self.should_exit or not is_ready:
            self.should_exit = True
            return
        (listening,) = sockets or []
        self._listener = self._make_listener(listening)
        self._listener.start()
        self.started = True
        garbage_collector.tune()
        self._on_started()

    async def main_loop(self) -> None:
        """Serve until the stop; uvicorn's own looks ten times a second whether there is one."""
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TICK_S):
                    await self._stop_asked.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take in what the kernel has accepted, hear a last request on each connection, answer all, close.

        A request that runs has `timeout_graceful_shutdown` to end.
        """
        deadline = asyncio.get_running_loop().time() + self._last_request_s + _ON_ITS_WAY_S
        for connection in list(self.server_state.connections):
            connection.shutdown()
        if self._listener is not None:
            await self._listener.close()
        await self._wait_for_last_requests(deadline)
        for connection in list(self.server_state.connections):
            connection.close_if_idle()  # type: ignore[union-attr]
        try:
            async with asyncio.timeout(self.config.timeout_graceful_shutdown):
                await self._wait_tasks_to_complete()
        except TimeoutError:
            for task in list(self.server_state.tasks):
                task.cancel()
        if not self.force_exit:
            await self.lifespan.shutdown()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle signals while the server runs.

        uvicorn's own method would raise a signal again after the stop, and then the exit code could not be 0.
        """
        handlers: dict[signal.Signals, Any] = {
            **dict.fromkeys(STOP, self.handle_exit),
            **dict.fromkeys(REOPEN, self._handle_reopen),
            **dict.fromkeys(IGNORED, signal.SIG_IGN),
        }
        with handle_signals(handlers):
            yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop gracefully at the first signal and at once at the second."""
        if self.should_exit:
            self.force_exit, self.forced_by = True, sig
        self.stopped_by = self.stopped_by or sig
        self.stop()

    def _handle_reopen(self, sig: int, frame: FrameType | None) -> None:
        """Open the log anew; a terminal that is closed sends the same signal, and its server ends with it."""
        if sig == signal.SIGHUP and self._terminal.is_gone:
            self.handle_exit(sig, frame)
        elif self._loop is not None and not self._reopens_soon:
            self._reopens_soon = True  # many signals are one
            self._loop.call_soon_threadsafe(self._reopen_log)

    def _reopen_log(self) -> None:
        self._reopens_soon = False
        self._resources.access_log.reopen()

    def _make_listener(self, listening: socket.socket) -> Listener:
        make_protocol: Any = self.config.http_protocol_class
        return Listener(
            listening,
            lambda: make_protocol(
                config=self.config, server_state=self.server_state, app_state=self.lifespan.state, _loop=self._loop
            ),
            count_open=self.server_state.connections.__len__,
            refuse=self._refuse_connection,
            tls=self.config.ssl,
            max_connections=find_max_connections(),
        )

    def _refuse_connection(self, client: str) -> bytes:
        """Answer one connection too many, with its line and its count: nothing else hears of it."""
        sentence = "As many connections are open as this server can hold; try again in a moment."
        error = Overloaded(sentence, "connections")
        return self._refusals.write(error, {}, client, self.server_state.default_headers)

    async def _wait_for_last_requests(self, deadline: float) -> None:
        """Wait until no connection is open, or until all had the time for a last request."""
        while asyncio.get_running_loop().time() < deadline and not self.force_exit:
            is_setting_up = self._listener is not None and self._listener.is_setting_up
            if not self.server_state.connections and not is_setting_up:
                return
            await asyncio.sleep(_POLL_S)

    @contextlib.contextmanager
    def _silence_known_failure(self) -> Iterator[None]:
        """A failure that whoever runs this server will tell in a sentence of its own need not be logged by uvicorn."""
        lifecycle = self._resources.lifecycle
        logger = logging.getLogger("uvicorn.error")

        def is_news(_: logging.LogRecord) -> bool:
            return lifecycle.failure is None

        logger.addFilter(is_news)
        try:
            yield
        finally:
            logger.removeFilter(is_news)
