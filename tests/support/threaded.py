"""An app with a fake model behind a real uvicorn and a real socket, in a thread of the test."""

import threading
from pathlib import Path
from typing import Any

import httpx

from cvserve.engine.choose_pool import pool_for
from cvserve.engine.protocols import WorkerPool
from cvserve.predictor.predictor import Predictor
from cvserve.server.resources import Resources, open_resources
from cvserve.server.run import bind, make_server
from cvserve.settings import Settings

TOKEN = "a-fixed-token-for-tests"
# Hardly a test sends anything on a connection that is open when it stops its server.
_LAST_REQUEST_S = 0.4


class ThreadedServer:
    """Started when made; ready when the constructor returns.

    Args:
        home: of its history and log.
        model: runs on threads of this process; or a pool that is loaded, or what an app has opened already.
        limits: of its connections; default: as the settings say.
        last_request_s: that connections which are open at the stop have for one more request.
        **settings: of the server.

    Attributes:
        resources: what the app holds, for looking at the engine and the log.
        url: where it listens.
    """

    def __init__(
        self,
        home: Path,
        model: Predictor | WorkerPool | Resources,
        *,
        limits: Any = None,  # a `ConnectionLimits`, or None
        last_request_s: object = _LAST_REQUEST_S,
        **settings: object,
    ) -> None:
        if not settings.get("no_auth"):
            settings.setdefault("token", TOKEN)
        self.home = home
        self.settings = Settings(home=home, **settings)  # type: ignore[arg-type]
        if isinstance(model, Resources):
            self.resources = model
        else:
            pool = pool_for(self.settings, model) if isinstance(model, Predictor) else model
            self.resources = open_resources(self.settings, pool)
        self._listener = bind("127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.token = self.settings.token
        self._is_up = threading.Event()
        self._server = make_server(
            self.resources, self._is_up.set, limits=limits, last_request_s=float(str(last_request_s))
        )
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._is_up.wait(timeout=30), "the server did not start"

    def client(self, token: str | None = None, **options: Any) -> httpx.Client:
        """An HTTP client with the token."""
        token = token or self.token
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        options.setdefault("verify", False)  # loading certificates takes longer than most tests
        return httpx.Client(base_url=self.url, headers=headers, timeout=30, **options)

    @property
    def connections(self) -> set[Any]:
        """Those that are open."""
        return self._server.server_state.connections

    def log_lines(self) -> list[str]:
        """The lines of output.log."""
        return (self.home / "output.log").read_text(encoding="utf-8").splitlines()

    def stop(self) -> None:
        """End it and wait. May be called twice."""
        self._server.stop()
        self._thread.join(timeout=40)
        self._listener.close()
        self.resources.release()

    def _run(self) -> None:
        self._server.run(sockets=[self._listener])
