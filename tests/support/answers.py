"""What every error answer must look like, at every door."""

import re
from typing import Any

# design 2.1: the whole table.
STATUS_OF = {
    "unauthenticated": 401,
    "forbidden": 403,
    "csrf_rejected": 403,
    "misdirected": 421,
    "not_found": 404,
    "method_not_allowed": 405,
    "invalid_image": 422,
    "image_too_large": 422,
    "unsupported_image": 415,
    "unsupported_media_type": 415,
    "missing_file": 422,
    "malformed_body": 400,
    "invalid_parameter": 422,
    "payload_too_large": 413,
    "headers_too_large": 431,
    "uri_too_long": 414,
    "request_timeout": 408,
    "overloaded": 503,
    "not_ready": 503,
    "rate_limited": 429,
    "predict_timeout": 504,
    "model_error": 500,
    "worker_died": 500,
    "storage_full": 507,
    "history_unavailable": 503,
}
CREATED_AT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_MEMBERS = {"type", "title", "status", "detail", "instance", "error", "code", "request_id"}
# Words that only a library, a stack or the server's own disk could have put there.
_FOREIGN = re.compile(
    r"Traceback|0x[0-9a-f]{6,}|<_io|\.py\b|/tmp|/usr|/etc|Error\(|Exception|sqlite|PIL|cannot identify"
)


def assert_problem_object(body: dict[str, Any], code: str) -> None:
    """The object of a problem, alone or in the list of a batch."""
    assert set(body) == _MEMBERS
    assert body["code"] == code, body
    assert body["status"] == STATUS_OF[code]
    assert body["type"] == f"/problems/{code}"
    assert body["error"] == body["detail"]
    assert body["request_id"] in body["instance"]
    assert body["title"]
    assert body["detail"].endswith((".", "?")), body["detail"]
    assert body["detail"].isprintable()
    assert not _FOREIGN.search(body["detail"] + body["title"]), body["detail"]


def assert_problem(answer: Any, code: str) -> dict[str, Any]:
    """An answer (of httpx or of `RawConnection`) that is this problem and nothing else; its body."""
    status = getattr(answer, "status_code", None) or answer.status
    body: dict[str, Any] = answer.json()
    assert status == STATUS_OF[code], body
    assert answer.headers["content-type"] == "application/problem+json"
    assert_problem_object(body, code)
    assert body["request_id"] == answer.headers["x-request-id"]
    assert ("www-authenticate" in answer.headers) == (code in ("unauthenticated", "forbidden"))
    assert ("retry-after" in answer.headers) == (status in (429, 503))
    assert ("accept-post" in answer.headers) == (status == 415)
    assert ("allow" in answer.headers) == (status == 405)
    return body
