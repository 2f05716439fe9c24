"""Catches whatever a layer or endpoint raises and has it answered as a problem (`server/problems.py`)."""

import asyncio

from loguru import logger

from cvserve.errors import CvserveError, ModelError, NotReady
from cvserve.server.context import AsgiApp, Message, Receive, Scope, Send, context_of
from cvserve.server.disconnect import ClientGone
from cvserve.server.metrics import Metrics
from cvserve.server.problems import log_failure, send_problem


class ProblemMiddleware:
    """Answers with `application/problem+json` when a layer or endpoint below raises.

    An error that is not one of ours is logged with its stack and answered as `model_error`, without its text.

    Args:
        app: the next layer.
        metrics: counts requests that were turned away.
    """

    def __init__(self, app: AsgiApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and answer with a problem if that raises."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def note_and_send(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, note_and_send)
        except ClientGone:
            return  # there is nobody to answer; the access log says 499
        except asyncio.CancelledError:
            if not started:  # a stop has waited for this request as long as `shutdown_timeout` says
                stopping = NotReady("The server is stopping; send the request again in a moment.")
                self._metrics.count_error(stopping)
                await send_problem(scope, send, stopping)
            raise
        except Exception as error:
            if started:
                raise  # half an answer cannot become an error: the connection is cut
            await self._answer(scope, send, error)

    async def _answer(self, scope: Scope, send: Send, error: Exception) -> None:
        # Not in `__call__`: the error's traceback holds that frame. Where a frame, or a future in one, holds the error
        # as well, the two keep each other, and with them the whole body, until the garbage collector comes.
        problem = self._to_problem(scope, error)
        error.__traceback__ = error.__context__ = None
        self._metrics.count_error(problem)
        await send_problem(scope, send, problem)

    @staticmethod
    def _to_problem(scope: Scope, error: Exception) -> CvserveError:
        request_id = context_of(scope).request_id
        if not isinstance(error, CvserveError):
            logger.opt(exception=error).error("request {} failed", request_id)
            return ModelError("The server failed at this request; its own log has the reason.")
        log_failure(error, request_id)
        return error
