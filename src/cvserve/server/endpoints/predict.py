"""`POST /predict` and `POST /predict/batch`."""

import functools

from cvserve.answer import encode_json
from cvserve.errors import CvserveError
from cvserve.server.context import Receive, Scope, Send, context_of, header
from cvserve.server.disconnect import has_left
from cvserve.server.parameters import PREDICT_PARAMETERS, query_parameters
from cvserve.server.problems import problem
from cvserve.server.responses import send_body
from cvserve.server.service import PredictionService
from cvserve.server.uploads import read_many, read_one
from cvserve.store.schema import HIDDEN_SOURCE

_SOURCE_HEADER = b"x-cvserve-source"


def source_of(scope: Scope) -> str:
    """What the row's `source` will be: a load test labels its rows, which opens nothing; all others are `http`."""
    return HIDDEN_SOURCE if header(scope, _SOURCE_HEADER) == HIDDEN_SOURCE else "http"


class Predict:
    """One picture in, its answer out: `POST /predict`, also `PUT` for `curl -T`.

    Args:
        service: classifies and stores.
        max_body_bytes: of the request.
        body_timeout_s: for the body to arrive.
        top_k: when the request does not say.
    """

    def __init__(self, service: PredictionService, *, max_body_bytes: int, body_timeout_s: float, top_k: int) -> None:
        self._service = service
        self._max_body_bytes = max_body_bytes
        self._body_timeout_s = body_timeout_s
        self._top_k = top_k

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        top_k = query_parameters(scope, PREDICT_PARAMETERS).get("top_k", self._top_k)
        upload = await read_one(scope, receive, self._max_body_bytes, self._body_timeout_s)
        recorded = await self._service.predict(
            upload, top_k, context_of(scope), source_of(scope), functools.partial(has_left, receive)
        )
        body = recorded.to_json().encode("utf-8")
        await send_body(send, body, headers=((b"server-timing", recorded.server_timing()),))


class PredictBatch:
    """Several `file` parts in, a list out: an answer or a problem for each, in order.

    Args:
        service, body_timeout_s, top_k: as for `Predict`.
    """

    def __init__(self, service: PredictionService, *, body_timeout_s: float, top_k: int) -> None:
        self._service = service
        self._body_timeout_s = body_timeout_s
        self._top_k = top_k

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        context = context_of(scope)
        top_k = query_parameters(scope, PREDICT_PARAMETERS).get("top_k", self._top_k)
        uploads = await read_many(scope, receive, self._body_timeout_s)
        answers = await self._service.predict_many(
            uploads, top_k, context, source_of(scope), functools.partial(has_left, receive)
        )
        entries = [
            encode_json(problem(answer, context.request_id)) if isinstance(answer, CvserveError) else answer.to_json()
            for answer in answers
        ]
        await send_body(send, f"[{','.join(entries)}]".encode())
