"""`cvserve serve`: open, bind, announce, run uvicorn, stop."""

import contextlib
import functools
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import uvicorn

from cvserve.engine import garbage_collector
from cvserve.engine.protocols import WorkerPool
from cvserve.errors import CannotStart, InvalidSetting, Unsafe
from cvserve.files import others_may_read
from cvserve.logs.events import configure_events
from cvserve.server.app import create_app
from cvserve.server.lifecycle import Lifecycle
from cvserve.server.resources import Resources, open_resources
from cvserve.server.transport.limits import ConnectionLimits
from cvserve.server.transport.protocol import HttpProtocol
from cvserve.server.transport.shared import Shared
from cvserve.settings import Settings

_BACKLOG = 2_048
_SIGNALLED = 128  # a shell's exit code of what a signal has ended, plus the signal's number


class Server(uvicorn.Server):
    """uvicorn's server, which also calls `on_started` once it answers and marks the app as draining when it must stop.

    Args:
        config: of uvicorn.
        lifecycle: its `is_draining` is set by the first signal.
        on_started: called once the port answers.

    Attributes:
        forced_by: number of the second signal, which ended the server at once; 0 without one.
    """

    def __init__(self, config: uvicorn.Config, lifecycle: Lifecycle, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._lifecycle = lifecycle
        self._on_started = on_started
        self.forced_by = 0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start as uvicorn does, then call `on_started`."""
        await super().startup(sockets)
        if self.started:
            garbage_collector.tune()
            self._on_started()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop gracefully at the first signal and at once at the second; from now on `/readyz` answers 503.

        uvicorn's own method would raise the signal again after the stop, and then the exit code could not be 0.
        """
        self._lifecycle.is_draining = True
        if self.should_exit:
            self.force_exit, self.forced_by = True, sig
        self.should_exit = True


def run_server(settings: Settings, pool: WorkerPool, announce: Callable[[str, Resources], None]) -> int:
    """Serve until a signal, and return the exit code.

    Args:
        settings: of this server.
        pool: its workers, which may still load the model; ended when this returns.
        announce: called with the URL and the open resources, once the port answers.

    Raises:
        CvserveError: something that the server needs is missing or cannot be used; nothing was started.
    """
    configure_events()
    with contextlib.ExitStack() as stack:
        stack.callback(pool.kill)
        listener = stack.enter_context(contextlib.closing(bind(settings.host, settings.port)))
        pool.wait_loaded()
        resources = open_resources(settings, pool)
        try:
            scheme = "https" if settings.ssl_certfile else "http"
            url = f"{scheme}://{_format_address(listener)}{settings.root_path}"
            config = server_config(resources)
            server = Server(config, resources.lifecycle, lambda: announce(url, resources))
            server.run(sockets=[listener])
        finally:
            resources.release()
    if server.forced_by:
        return _SIGNALLED + server.forced_by
    return 0 if server.started else CannotStart.exit_code


def bind(host: str, port: int) -> socket.socket:
    """Open a listening socket.

    Raises:
        CannotStart: the port is taken, or the host is not an address of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError):
        raise CannotStart(f"The host '{host}' is not known; use an address of this machine.") from None
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise CannotStart(f"Port {port} on {host} cannot be used: {error.strerror}; try --port 0.") from None
    listener.setblocking(False)
    return listener


def make_shared(resources: Resources, limits: ConnectionLimits | None = None) -> Shared:
    """What all connections of a server have in common; `limits`: default: as the settings say."""
    limits = limits or ConnectionLimits.of(resources.settings)
    return Shared(resources.access_log, resources.metrics, resources.budget, limits)


def server_config(resources: Resources) -> uvicorn.Config:
    """Configure uvicorn: one process, our protocol, and no log of its own.

    Raises:
        InvalidSetting: certificate or key cannot be read.
        Unsafe: others may read the key.
    """
    settings = resources.settings
    _check_key(settings.ssl_keyfile)
    config = uvicorn.Config(
        create_app(resources=resources),
        http=functools.partial(HttpProtocol, shared=make_shared(resources)),  # type: ignore[arg-type]
        loop="uvloop" if sys.platform != "win32" else "asyncio",
        ws="none",
        lifespan="on",
        interface="asgi3",
        access_log=False,
        server_header=False,
        log_config=None,
        proxy_headers=False,  # `server/forwarded.py` keeps the peer's address where a header has none
        root_path=settings.root_path,
        ssl_certfile=settings.ssl_certfile,
        ssl_keyfile=settings.ssl_keyfile,
        timeout_graceful_shutdown=max(1, round(settings.shutdown_timeout)),
    )
    try:
        config.load()
    except OSError:  # ssl.SSLError is one
        raise InvalidSetting(
            f"ssl_certfile '{settings.ssl_certfile}' and ssl_keyfile '{settings.ssl_keyfile}' are no certificate in "
            "PEM and the key to it; check both paths."
        ) from None
    return config


def _check_key(path: Path | None) -> None:
    with contextlib.suppress(OSError):  # one that cannot be read is told by who reads it
        if path is not None and others_may_read(path.stat()):
            raise Unsafe(f"ssl_keyfile '{path}' can be read by others; run: chmod 600 {path}")


def _format_address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
