"""`create_app`: which paths there are, the layers around them, and how the app starts and stops."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route, Router

from cvserve.configuration import load_configuration
from cvserve.engine.choose_pool import pool_for
from cvserve.errors import NotFound
from cvserve.server.context import AsgiApp, Receive, Scope, Send
from cvserve.server.endpoints.health import Live, Ready
from cvserve.server.endpoints.history import PredictionItem, PredictionList
from cvserve.server.endpoints.metrics import MetricsPage
from cvserve.server.endpoints.predict import Predict, PredictBatch
from cvserve.server.middleware.access_log import AccessLogMiddleware
from cvserve.server.middleware.authentication import AuthenticationMiddleware
from cvserve.server.middleware.exceptions import ProblemMiddleware
from cvserve.server.resources import Resources, open_resources
from cvserve.server.routes import HEALTH_PATHS, Endpoint, Paths, route
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


def make_routes(resources: Resources) -> list[Route]:
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
        route(
            "/predict",
            {
                "POST": Endpoint(predict, "predict"),
                "PUT": Endpoint(predict, "predict"),
                "GET": Endpoint(PredictionList(resources.readers), "predict"),
            },
        ),
        route("/predict/batch", {"POST": Endpoint(batch, "predict")}),
        route("/predict/{id}", {"GET": Endpoint(PredictionItem(resources.readers), "predict")}),
        route("/livez", {"GET": Endpoint(Live(), None)}),
        route("/readyz", {"GET": Endpoint(ready, None)}),
        route("/metrics", {"GET": Endpoint(metrics, "metrics")}),
    ]


def _add_layers(router: AsgiApp, resources: Resources) -> AsgiApp:
    """Put the layers around the router; the last one added sees a request first."""
    settings = resources.settings
    open_paths = HEALTH_PATHS if settings.public_health else ()
    app: AsgiApp = AuthenticationMiddleware(router, resources.authenticator, open_paths, resources.rate_limiter)
    app = ProblemMiddleware(app, resources.metrics)
    if settings.cors_origin:
        app = _add_cors(app, settings.cors_origin)
    app = AccessLogMiddleware(app, resources.access_log, resources.lifecycle, resources.metrics)
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
            await Router(lifespan=self._lifespan)(scope, receive, send)
            return
        if self._started is None:
            self._started = asyncio.ensure_future(self.resources.start())
        if not self._started.done():
            await asyncio.shield(self._started)
        await self._app(scope, receive, send)

    @contextlib.asynccontextmanager
    async def _lifespan(self, _app: object) -> AsyncIterator[None]:
        self._started = asyncio.ensure_future(self.resources.start())
        await self._started
        yield
        await self.resources.close()


def _add_cors(app: AsgiApp, origins: tuple[str, ...]) -> Any:
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=["GET", "POST", "PUT"],
        allow_headers=["Authorization", "Content-Type", "X-API-Key", "X-Request-ID"],
        expose_headers=["Link", "Server-Timing", "X-Request-ID", "X-Total-Count"],
    )


async def _raise_not_found(scope: Scope, receive: Receive, send: Send) -> None:
    raise NotFound("There is no such path.")
