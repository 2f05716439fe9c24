"""One error of each class of the tree, made as the code makes them."""

from typing import Any

from cvserve import errors
from cvserve.errors import CvserveError

# What some classes take beside their text.
_ARGUMENTS: dict[str, dict[str, Any]] = {
    "UntrustedModel": {"sha256": "ab" * 32},
    "MethodNotAllowed": {"allow": "GET, HEAD"},
    "Unauthenticated": {"credentials_sent": True},
    "Forbidden": {"scope": "metrics"},
}


def error_classes() -> list[type[CvserveError]]:
    """The whole tree, `CvserveError` itself included, in the order of the file."""
    return [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, CvserveError)]


def every_error() -> list[CvserveError]:
    """An error of each class; its text names the class."""
    return [kind(f"Text of {kind.__name__}", **_ARGUMENTS.get(kind.__name__, {})) for kind in error_classes()]
