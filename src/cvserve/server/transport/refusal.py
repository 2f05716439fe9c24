"""Answers to what never reaches the app: bytes that are no HTTP, slow clients, and what its head alone forbids."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from cvserve.errors import CvserveError
from cvserve.logs.access import AccessLog, AccessRecord
from cvserve.server.context import KEY, RequestContext, context_of, new_request_id
from cvserve.server.metrics import Metrics
from cvserve.server.middleware.access_log import STANDARD_HEADERS, make_record
from cvserve.server.problems import encode_problem, log_failure

Headers = list[tuple[bytes, bytes]]
CLOSE = b"connection: close\r\n"


class Refusals:
    """Makes such an answer, counts it, and writes its line in `output.log`.

    Args:
        access_log, metrics: log and count the answers.
    """

    def __init__(self, access_log: AccessLog, metrics: Metrics) -> None:
        self._access_log = access_log
        self._metrics = metrics

    def write(self, error: CvserveError, scope: Any, client: str, default_headers: Headers) -> bytes:
        """Make an answer that ends the connection, after its line is written.

        Args:
            error: the answer.
            scope: ASGI's of the request, as far as it is known; may be empty.
            client: address of the peer.
            default_headers: of every answer.
        """
        scope.setdefault(KEY, RequestContext(new_request_id(None), client))
        head, body, record = self._make(error, scope, default_headers)
        self._access_log.write(record)
        return head + CLOSE + b"\r\n" + body

    def write_soon(
        self, error: CvserveError, scope: Any, default_headers: Headers
    ) -> "tuple[bytes, bytes, asyncio.Future[None]]":
        """Make an answer, to be sent when its line is written: together with all others of this turn of the loop.

        Args:
            error: the answer.
            scope: ASGI's of the request, with its context.
            default_headers: of every answer.

        Returns:
            Its head without the empty line at the end, its body, and what ends when its line is written.
        """
        head, body, record = self._make(error, scope, default_headers)
        log_failure(error, context_of(scope).request_id)
        return head, body, self._access_log.write_soon(record)

    def _make(self, error: CvserveError, scope: Any, more_headers: Headers) -> tuple[bytes, bytes, AccessRecord]:
        context: RequestContext = scope[KEY]
        status, headers, body = encode_problem(error, context.request_id)
        context.status, context.bytes_out, context.is_logged = status, len(body), True
        self._metrics.count_error(error)
        self._metrics.count_answer(scope.get("method", "-"), context)
        request_id = (b"x-request-id", context.request_id.encode("ascii"))
        lines = [
            name + b": " + value + b"\r\n" for name, value in (*headers, request_id, *STANDARD_HEADERS, *more_headers)
        ]
        return b"".join([STATUS_LINE[status], *lines]), body, make_record(scope, context)
