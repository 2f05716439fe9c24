"""Errors of a request that cannot be read or may not be answered."""

from cvserve.errors.base import CvserveError


class RequestError(CvserveError):
    """A request that cannot be read or may not be answered."""


class MissingFile(RequestError):
    """No picture in the request."""

    code = "missing_file"


class MalformedBody(RequestError):
    """The multipart or JSON body is broken."""

    code = "malformed_body"


class UnsupportedMediaType(RequestError):
    """The body is of a kind that cannot hold a picture."""

    code = "unsupported_media_type"


class PayloadTooLarge(RequestError):
    """The body, or the number of its parts, is over the limit."""

    code = "payload_too_large"


class HeadersTooLarge(RequestError):
    """A request's head, or what comes after its body, has too many or too large headers."""

    code = "headers_too_large"


class UriTooLong(RequestError):
    """A request's target, its path with the query, is over the limit."""

    code = "uri_too_long"


class RequestTimeout(RequestError):
    """A request's head or body did not arrive in time, or came too slowly."""

    code = "request_timeout"


class NotFound(RequestError):
    """No such path, or no such prediction for this caller."""

    code = "not_found"


class MethodNotAllowed(RequestError):
    """The path exists, but not for this method.

    Attributes:
        allow: the methods that the path answers, as in the header `Allow`.
    """

    code = "method_not_allowed"

    def __init__(self, message: str, allow: str) -> None:
        super().__init__(message)
        self.allow = allow


class Unauthenticated(RequestError):
    """No token, or one that is wrong, revoked or expired.

    Attributes:
        credentials_sent: whether the request carried any (RFC 6750 section 3.1 wants no error word if not).
    """

    code = "unauthenticated"
    exit_code = 4

    def __init__(self, message: str, *, credentials_sent: bool = False) -> None:
        super().__init__(message)
        self.credentials_sent = credentials_sent


class Forbidden(RequestError):
    """A good token without the scope that the endpoint asks for.

    Attributes:
        scope: the missing scope.
    """

    code = "forbidden"

    def __init__(self, message: str, scope: str) -> None:
        super().__init__(message)
        self.scope = scope


class CsrfRejected(RequestError):
    """A page of another site has made a browser send this, and nobody allowed that page to."""

    code = "csrf_rejected"


class Misdirected(RequestError):
    """The request asks for a host that is not this server."""

    code = "misdirected"


class RateLimited(RequestError):
    """A token has sent more requests than it may in such a time.

    Attributes:
        retry_after_s: whole seconds after which the next one is let in.
    """

    code = "rate_limited"

    def __init__(self, message: str, retry_after_s: int = 1) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
