"""`POST /predict` and `POST /predict/batch`."""

import functools

from cvserve.answer import encode_json
from cvserve.server.byte_budget import ByteBudget
from cvserve.server.context import Receive, Scope, Send, context_of, header
from cvserve.server.disconnect import has_left
from cvserve.server.parameters import PREDICT_PARAMETERS, parse_query
from cvserve.server.problems import make_problem
from cvserve.server.responses import send_body
from cvserve.server.service import PredictionService, Recorded
from cvserve.server.uploads import read_many, read_one
from cvserve.store.sources import HIDDEN_SOURCE

_SOURCE_HEADER = b"x-cvserve-source"


def find_source(scope: Scope) -> str:
    """The row's `source`: a load test marks its rows by a header; all others are `http`.

    Rows with the mark are left out of lists and counts, so that whoever could hide what they asked for may not set
    it: only who may read everybody's rows, or is an administrator.
    """
    if header(scope, _SOURCE_HEADER) != HIDDEN_SOURCE:
        return "http"
    actor = context_of(scope).actor
    may_hide = actor is not None and (actor.sees_all or "admin" in actor.scopes)
    return HIDDEN_SOURCE if may_hide else "http"


class Predict:
    """One picture in, its answer out: `POST /predict`, also `PUT` for `curl -T`.

    Args:
        service: classifies and stores.
        budget: of the bytes of all requests.
        max_body_bytes: largest body that is accepted.
        body_timeout_s: for the body to arrive.
        top_k: how many classes an answer lists when the request does not say.
    """

    def __init__(
        self,
        service: PredictionService,
        budget: ByteBudget,
        *,
        max_body_bytes: int,
        body_timeout_s: float,
        top_k: int,
    ) -> None:
        self._service = service
        self._budget = budget
        self._max_body_bytes = max_body_bytes
        self._body_timeout_s = body_timeout_s
        self._top_k = top_k

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the picture, classify and store it, answer with the prediction."""
        context = context_of(scope)
        self._service.check_room(context)
        top_k = parse_query(scope, PREDICT_PARAMETERS).get("top_k", self._top_k)
        with self._budget.open_hold(context.owner) as hold:
            upload = await read_one(scope, receive, hold, self._max_body_bytes, self._body_timeout_s)
            recorded = await self._service.predict(
                upload, top_k, context, find_source(scope), functools.partial(has_left, receive)
            )
            body = recorded.to_json().encode("utf-8")
            await send_body(send, body, headers=((b"server-timing", recorded.server_timing()),))


class PredictBatch:
    """`POST /predict/batch`: several `file` parts in, a list out: an answer or a problem for each, in order.

    Args:
        service: classifies and stores.
        budget: of the bytes of all requests.
        body_timeout_s: for the body to arrive.
        top_k: how many classes an answer lists when the request does not say.
    """

    def __init__(self, service: PredictionService, budget: ByteBudget, *, body_timeout_s: float, top_k: int) -> None:
        self._service = service
        self._budget = budget
        self._body_timeout_s = body_timeout_s
        self._top_k = top_k

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the pictures, classify and store them, answer with a list in their order."""
        context = context_of(scope)
        self._service.check_room(context)
        top_k = parse_query(scope, PREDICT_PARAMETERS).get("top_k", self._top_k)
        with self._budget.open_hold(context.owner) as hold:
            uploads = await read_many(scope, receive, hold, self._body_timeout_s)
            answers = await self._service.predict_many(
                uploads, top_k, context, find_source(scope), functools.partial(has_left, receive)
            )
            entries = [
                answer.to_json()
                if isinstance(answer, Recorded)
                else encode_json(make_problem(answer, context.request_id))
                for answer in answers
            ]
            await send_body(send, f"[{','.join(entries)}]".encode())
