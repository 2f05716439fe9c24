"""Turns every error into its answer; the only place where an exception meets HTTP."""

import asyncio

from loguru import logger

from cvserve.errors import CvserveError, ModelError, NotReady
from cvserve.server.context import AsgiApp, Message, Receive, Scope, Send, context_of
from cvserve.server.disconnect import ClientGone
from cvserve.server.metrics import Metrics
from cvserve.server.problems import send_problem, status_of


class ProblemMiddleware:
    """Answers with `application/problem+json` when something raises.

    Args:
        app: what comes next.
        metrics: counts who was turned away.
    """

    def __init__(self, app: AsgiApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watched_send(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watched_send)
        except ClientGone:
            return  # nobody is there to hear it; the access log says 499
        except asyncio.CancelledError:
            if not started:  # a stop has waited for this request as long as `shutdown_timeout` says
                stopping = NotReady("The server is stopping; send the request again in a moment.")
                self._metrics.failed(stopping)
                await send_problem(scope, send, stopping)
            raise
        except Exception as error:
            if started:
                raise  # half an answer cannot become an error: the connection is cut
            ours = self._as_ours(scope, error)
            self._metrics.failed(ours)
            await send_problem(scope, send, ours)

    @staticmethod
    def _as_ours(scope: Scope, error: Exception) -> CvserveError:
        request_id = context_of(scope).request_id
        if not isinstance(error, CvserveError):
            logger.opt(exception=error).error("request {} failed", request_id)
            return ModelError("The server failed at this request; its own log has the reason.")
        if status_of(error) >= 500:
            logger.warning("request {}: {}: {}", request_id, error.code, error)
        return error
