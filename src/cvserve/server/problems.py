"""Every error answer, of every endpoint: `application/problem+json` (RFC 9457), from one table and one writer.

The members `error` (for Open Inference Protocol clients), `code` and `request_id` are additions of ours. A new error
is a class in `errors/`, with a `code`, and a row in the table here if the code is new.
"""

import json
from typing import Any

from cvserve import errors
from cvserve.errors import CvserveError
from cvserve.logs.events import log_seldom
from cvserve.server.context import Scope, Send, context_of

_JSON = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True).encode
REALM = 'Bearer realm="cvserve"'
RETRY_AFTER_S = 1

# code -> (status, title)
PROBLEMS: dict[str, tuple[int, str]] = {
    "unauthenticated": (401, "A token is needed"),
    "forbidden": (403, "The token does not allow this"),
    "csrf_rejected": (403, "A page of another site may not do this"),
    "misdirected": (421, "The request is for another host"),
    "not_found": (404, "Not found"),
    "method_not_allowed": (405, "The path does not answer this method"),
    "invalid_image": (422, "The picture cannot be read"),
    "image_too_large": (422, "The picture has too many or too few pixels"),
    "unsupported_image": (415, "The image format is not allowed"),
    "unsupported_media_type": (415, "The body is of a kind that holds no picture"),
    "missing_file": (422, "There is no picture in the request"),
    "malformed_body": (400, "The body is broken"),
    "invalid_parameter": (422, "A parameter cannot be used"),
    "payload_too_large": (413, "The body is too large"),
    "headers_too_large": (431, "The head of the request is too large"),
    "uri_too_long": (414, "The target of the request is too long"),
    "request_timeout": (408, "The request came too slowly"),
    "overloaded": (503, "The server has too much to do"),
    "not_ready": (503, "The server is not ready"),
    "rate_limited": (429, "Too many requests with this token"),
    "predict_timeout": (504, "The model took too long"),
    "model_error": (500, "The model failed"),
    "worker_died": (500, "The worker process died"),
    "storage_full": (507, "There is no space for the history"),
    "history_unavailable": (503, "The history cannot be used"),
}
ACCEPT_POST = b"image/jpeg, image/png, image/webp, multipart/form-data, application/json"


def get_status(error: CvserveError) -> int:
    """Return the HTTP status of an error."""
    return PROBLEMS[error.code][0]


def make_problem(error: CvserveError, request_id: str) -> dict[str, Any]:
    """Make the object that describes an error: the body of an answer, or an entry in the list of a batch."""
    status, title = PROBLEMS[error.code]
    return {
        "type": f"/problems/{error.code}",
        "title": title,
        "status": status,
        "detail": error.detail,
        "instance": f"/requests/{request_id}",
        "error": error.detail,
        "code": error.code,
        "request_id": request_id,
    }


def encode_problem(error: CvserveError, request_id: str) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Make status, headers and body of an error's answer."""
    status = get_status(error)
    body = _JSON(make_problem(error, request_id)).encode("ascii")
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode("ascii")),
        *_extra_headers(error, status),
    ]
    return status, headers, body


async def send_problem(scope: Scope, send: Send, error: CvserveError) -> None:
    """Answer with an error."""
    status, headers, body = encode_problem(error, context_of(scope).request_id)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def log_failure(error: CvserveError, request_id: str) -> None:
    """Tell whoever runs the server of an answer that speaks of the server's state, once in a while."""
    if get_status(error) >= 500:
        log_seldom(f"answer {error.code}", "WARNING", "request {}: {}: {}", request_id, error.code, error)


def _extra_headers(error: CvserveError, status: int) -> list[tuple[bytes, bytes]]:
    if isinstance(error, errors.Unauthenticated):
        value = REALM + (', error="invalid_token"' if error.credentials_sent else "")
        return [(b"www-authenticate", value.encode("ascii"))]
    if isinstance(error, errors.Forbidden):
        value = f'{REALM}, error="insufficient_scope", scope="{error.scope}"'
        return [(b"www-authenticate", value.encode("ascii"))]
    if isinstance(error, errors.MethodNotAllowed):
        return [(b"allow", error.allow.encode("ascii"))]
    if status == 415:
        return [(b"accept-post", ACCEPT_POST)]
    if isinstance(error, errors.RateLimited):
        return [(b"retry-after", str(error.retry_after_s).encode("ascii"))]
    if status == 503:
        return [(b"retry-after", str(RETRY_AFTER_S).encode("ascii"))]
    return []
