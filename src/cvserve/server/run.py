"""`cvserve serve`: open, bind, announce, run uvicorn, stop."""

import contextlib
import functools
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import uvicorn

from cvserve.engine.protocols import WorkerPool
from cvserve.errors import CannotStart, InvalidSetting, Unsafe
from cvserve.files import others_may_read
from cvserve.logs.events import configure_events
from cvserve.server.app import create_app
from cvserve.server.resources import Resources, open_resources
from cvserve.server.server import Server
from cvserve.server.signals import IGNORED, REOPEN, STOP, Handler, Terminal, end_at_once, exit_code_of, handle_signals
from cvserve.server.transport.limits import LAST_REQUEST_S, ConnectionLimits
from cvserve.server.transport.protocol import HttpProtocol
from cvserve.server.transport.shared import Shared
from cvserve.settings import Settings

_BACKLOG = 2_048


def run_server(settings: Settings, pool: WorkerPool, announce: Callable[[str, Resources], None]) -> int:
    """Serve until a signal, and return the exit code.

    Args:
        settings: of this server.
        pool: its workers, which may still load the model; ended when this returns.
        announce: called with the URL and the open resources, once the port answers.

    Raises:
        CvserveError: something that the server needs is missing or cannot be used, or no worker could be made.
    """
    configure_events()
    with contextlib.ExitStack() as stack:
        stack.enter_context(handle_signals(_signals_of_start()))
        stack.callback(pool.kill)
        listener = stack.enter_context(contextlib.closing(bind(settings.host, settings.port)))
        pool.wait_loaded()
        resources = open_resources(settings, pool)
        try:
            scheme = "https" if settings.ssl_certfile else "http"
            url = f"{scheme}://{_format_address(listener)}{settings.root_path}"
            server = make_server(resources, lambda: announce(url, resources))
            server.run(sockets=[listener])
        finally:
            resources.release()
    if resources.lifecycle.failure is not None:
        raise resources.lifecycle.failure
    if server.forced_by:
        return exit_code_of(server.forced_by)
    if server.started:
        return 0
    return exit_code_of(server.stopped_by) if server.stopped_by else CannotStart.exit_code


def _signals_of_start() -> dict[signal.Signals, Handler]:
    """What signals do until the server takes them over: there is no log yet that could be opened anew."""
    handlers: dict[signal.Signals, Handler] = {
        **dict.fromkeys(STOP, end_at_once),
        **dict.fromkeys((*REOPEN, *IGNORED), signal.SIG_IGN),
    }
    if Terminal().is_there:
        handlers[signal.SIGHUP] = end_at_once
    return handlers


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


def make_server(
    resources: Resources,
    on_started: Callable[[], object] = lambda: None,
    *,
    limits: ConnectionLimits | None = None,
    last_request_s: float = LAST_REQUEST_S,
) -> Server:
    """Make the server of an app, to be run with its listening socket.

    Args:
        resources: of the app.
        on_started: called once the port answers.
        limits: of its connections; default: as the settings say.
        last_request_s: seconds that an open connection has for a last request once the server is to stop.

    Raises:
        InvalidSetting: certificate or key cannot be read.
        Unsafe: others may read the key.
    """
    shared = Shared(resources, limits or ConnectionLimits.of(resources.settings))
    return Server(_make_config(resources, shared), resources, shared.refusals, on_started, last_request_s)


def _make_config(resources: Resources, shared: Shared) -> uvicorn.Config:
    """Configure uvicorn: one process, our protocol, and no log of its own."""
    settings = resources.settings
    _check_key(settings.ssl_keyfile)
    config = uvicorn.Config(
        create_app(resources=resources),
        http=functools.partial(HttpProtocol, shared=shared),  # type: ignore[arg-type]
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
