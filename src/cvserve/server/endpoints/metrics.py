"""`GET /metrics`: what was counted, as Prometheus reads it."""

import asyncio
from typing import TYPE_CHECKING

from cvserve.engine.engine import Engine
from cvserve.logs.access import AccessLog
from cvserve.server.context import Receive, Scope, Send, header
from cvserve.server.metrics import Metrics

if TYPE_CHECKING:
    from cvserve.server.prometheus import Exposition


class MetricsPage:
    """`GET /metrics`: Prometheus text, or OpenMetrics when the header `Accept` asks for it.

    Args:
        metrics: counters and histograms of the server.
        engine, access_log: asked for their own numbers, such as the length of the queue.
    """

    def __init__(self, metrics: Metrics, engine: Engine, access_log: AccessLog) -> None:
        self._metrics = metrics
        self._engine = engine
        self._access_log = access_log
        self._exposition: Exposition | None = None
        self._lock = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Render the page in a thread and answer with it."""
        accept = header(scope, b"accept") or ""
        # A page takes milliseconds, and the first one an import: beside the requests, one at a time.
        async with self._lock:
            body, media_type = await asyncio.to_thread(self._page, accept)
        headers = [(b"content-type", media_type.encode("ascii")), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _page(self, accept: str) -> tuple[bytes, str]:
        if self._exposition is None:
            from cvserve.server.prometheus import Exposition, Sources  # slow to import

            self._exposition = Exposition(Sources(self._metrics, self._engine, self._access_log))
        return self._exposition.render(accept)
