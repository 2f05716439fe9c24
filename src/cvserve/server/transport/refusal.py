"""Answers to what never reaches the app: bytes that are no HTTP, heads that are too large, slow clients."""

from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from cvserve.errors import CvserveError
from cvserve.logs.access import AccessLog
from cvserve.server.context import KEY, RequestContext, new_request_id
from cvserve.server.metrics import Metrics
from cvserve.server.middleware.access_log import make_record
from cvserve.server.problems import encode_problem

Headers = list[tuple[bytes, bytes]]


class Refusals:
    """Writes such an answer and its line in `output.log`.

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
        context = scope.setdefault(KEY, RequestContext(new_request_id(None), client))
        status, headers, body = encode_problem(error, context.request_id)
        context.status, context.bytes_out, context.is_logged = status, len(body), True
        self._metrics.count_answer(scope.get("method", "-"), context)
        self._access_log.write(make_record(scope, context))
        headers = [
            *default_headers,
            *headers,
            (b"x-request-id", context.request_id.encode("ascii")),
            (b"connection", b"close"),
        ]
        lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
        return STATUS_LINE[status] + lines + b"\r\n" + body
