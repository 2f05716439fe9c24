"""`GET /livez`: the event loop answers. `GET /readyz`: a prediction would work now."""

from cvserve.engine.engine import Engine
from cvserve.server.context import Receive, Scope, Send, context_of
from cvserve.server.lifecycle import Lifecycle
from cvserve.server.recorder import Recorder
from cvserve.server.responses import send_json


class Live:
    """`GET /livez`: says that the process answers, and nothing else."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 200."""
        await send_json(send, {"status": "live"})


class Ready:
    """`GET /readyz`: says whether a prediction would work now, and lists the checks.

    Args:
        engine: model loaded and warmed, at least one live worker.
        recorder: the history can be written.
        lifecycle: not draining.
    """

    def __init__(self, engine: Engine, recorder: Recorder, lifecycle: Lifecycle) -> None:
        self._engine = engine
        self._recorder = recorder
        self._lifecycle = lifecycle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the checks and answer 200 or 503; only a caller with a token is told the result of each."""
        checks = {
            "model": self._engine.is_ready,
            "workers": self._engine.live_workers > 0,
            "history": await self._recorder.is_writable(),
            "accepting": not self._lifecycle.is_draining,
        }
        ready = all(checks.values())
        body: dict[str, object] = {"status": "ready" if ready else "not_ready"}
        if context_of(scope).actor is not None:  # in public the status is all there is
            body["checks"] = {name: "ok" if good else "failing" for name, good in checks.items()}
        headers = [] if ready else [(b"retry-after", b"1")]
        await send_json(send, body, status=200 if ready else 503, headers=headers)
