"""`create_app`: which paths there are, the layers around them, and how the app starts and stops."""

import asyncio
from typing import TYPE_CHECKING

from cvserve.configuration import load_configuration
from cvserve.engine.choose_pool import pool_for
from cvserve.errors import CvserveError, NotFound
from cvserve.server.context import AsgiApp, Receive, Scope, Send
from cvserve.server.endpoints.health import Live, Ready
from cvserve.server.endpoints.history import PredictionItem, PredictionList
from cvserve.server.endpoints.metrics import MetricsPage
from cvserve.server.endpoints.predict import Predict, PredictBatch
from cvserve.server.middleware.access_log import AccessLogMiddleware
from cvserve.server.middleware.authentication import AuthenticationMiddleware
from cvserve.server.middleware.cors import CorsMiddleware
from cvserve.server.middleware.exceptions import ProblemMiddleware
from cvserve.server.resources import Resources, open_resources
from cvserve.server.routes import Endpoint, Methods, Paths
from cvserve.settings import Settings

if TYPE_CHECKING:
    from cvserve.predictor.predictor import Predictor


def create_app(
    settings: Settings | None = None,
    *,
    predictor: "Predictor | None" = None,
    resources: Resources | None = None,
) -> AsgiApp:
    """A plain ASGI app, to run by any ASGI server or to mount in another app.

    It starts with the ASGI lifespan, or with the first request where the outer app does not pass that on.

    Args:
        settings: default: from environment, `.env` and `cvserve.toml`.
        predictor: a live one, which runs on threads of this process; default: loaded as the settings say, in
            worker processes. Then the thread that calls this must live as long as the app.
        resources: opened already; then the other two are not looked at.
    """
    if resources is None:
        settings = load_configuration().settings if settings is None else settings
        pool = pool_for(settings, predictor)
        try:
            pool.wait_loaded()
            resources = open_resources(settings, pool)
        except BaseException:
            pool.kill()
            raise
    return _add_layers(Paths(make_routes(resources), default=_raise_not_found), resources)


def make_routes(resources: Resources) -> list[Methods]:
    """The table of all paths that the app answers."""
    settings, service = resources.settings, resources.service
    predict = Predict(
        service,
        resources.budget,
        max_body_bytes=settings.max_body,
        body_timeout_s=settings.body_timeout,
        top_k=settings.top_k,
    )
    batch = PredictBatch(service, resources.budget, body_timeout_s=settings.body_timeout, top_k=settings.top_k)
    ready = Ready(resources.engine, resources.recorder, resources.lifecycle)
    metrics = MetricsPage(resources.metrics, resources.engine, resources.access_log)
    return [
        Methods(
            "/predict",
            {
                "POST": Endpoint(predict, "predict"),
                "PUT": Endpoint(predict, "predict"),
                "GET": Endpoint(PredictionList(resources.readers), "predict"),
            },
        ),
        Methods("/predict/batch", {"POST": Endpoint(batch, "predict")}),
        Methods("/predict/{id}", {"GET": Endpoint(PredictionItem(resources.readers), "predict")}),
        Methods("/livez", {"GET": Endpoint(Live(), None)}),
        Methods("/readyz", {"GET": Endpoint(ready, None)}),
        Methods("/metrics", {"GET": Endpoint(metrics, "metrics")}),
    ]


def _add_layers(paths: Paths, resources: Resources) -> AsgiApp:
    """Put the layers around the paths; the last one added sees a request first."""
    origins = resources.settings.cors_origin
    app: AsgiApp = AuthenticationMiddleware(
        paths, resources.authenticator, resources.host_rule, origins, resources.open_paths, resources.rate_limiter
    )
    app = ProblemMiddleware(app, resources.metrics)
    if origins:
        app = CorsMiddleware(app, origins, paths)
    app = AccessLogMiddleware(app, resources.access_log, resources.lifecycle, resources.metrics, resources.contexts)
    return LifespanMiddleware(app, resources)


class LifespanMiddleware:
    """The outermost layer: starts the resources before the first request and closes them after the last.

    A server that speaks the ASGI lifespan protocol says when to start and when to stop. An app that is mounted in
    another one may never hear of it: then the first request starts the resources, and all requests wait for that.

    Args:
        app: the next layer.
        resources: open, but not started yet.
    """

    def __init__(self, app: AsgiApp, resources: Resources) -> None:
        self._app = app
        self.resources = resources
        self._started: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the lifespan, or pass a request on once the resources are started."""
        if scope["type"] == "lifespan":
            await self._run_lifespan(receive, send)
            return
        if self._started is None:
            self._started = asyncio.ensure_future(self.resources.start())
        if not self._started.done():
            await asyncio.shield(self._started)
        await self._app(scope, receive, send)

    async def _run_lifespan(self, receive: Receive, send: Send) -> None:
        """The two messages of ASGI's lifespan protocol, and their answers."""
        await receive()
        self._started = asyncio.ensure_future(self.resources.start())
        try:
            await self._started
        except asyncio.CancelledError:
            return  # the server is to stop before it has started
        except CvserveError as error:
            self.resources.lifecycle.failure = error
            await send({"type": "lifespan.startup.failed", "message": f"cvserve: {error}"})
            return
        await send({"type": "lifespan.startup.complete"})
        try:
            await receive()
        except asyncio.CancelledError:
            return  # a second signal ends the server at once
        await self.resources.close()
        await send({"type": "lifespan.shutdown.complete"})


async def _raise_not_found(scope: Scope, receive: Receive, send: Send) -> None:
    raise NotFound("There is no such path.")
