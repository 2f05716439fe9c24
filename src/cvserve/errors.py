"""The one error tree. It knows nothing of HTTP: the statuses are a table in `server/problems.py`.

    CvserveError
    ├── InvalidSetting           a flag, a variable, a file's key, an argument      exit 2
    │   └── InvalidParameter     a parameter of a request
    ├── CannotStart              port, folder, model config, another server         exit 3
    │   └── HistoryError         cvserve.db cannot be used
    │       ├── HistoryUnavailable   locked, damaged or gone
    │       │   └── HistoryDamaged   what is in it contradicts itself
    │       └── StorageFull          the disk is full
    ├── Unsafe                   refused for safety: file modes, links, owners      exit 4
    ├── ModelLoadError           not a model, wrong for its input, not trusted      exit 5
    │   └── UntrustedModel       code can hide in it and nobody vouched for it
    ├── ImageError               this one picture cannot be answered                exit 1
    │   ├── InvalidImage         not an image, damaged, empty, too slow
    │   ├── ImageTooLarge        too many or too few pixels
    │   └── UnsupportedImage     an image, but of a format that is not allowed
    ├── RequestError             a request that cannot be read
    │   ├── MissingFile, MalformedBody, UnsupportedMediaType, PayloadTooLarge
    │   ├── NotFound, MethodNotAllowed, Unauthenticated, Forbidden
    └── PredictError             the picture was fine, the server or the model was not
        ├── Overloaded, NotReady, PredictTimeout, ModelError, WorkerDied

Each class carries a `code`, the word that programs look at; its text is for people: one sentence that
names the value and the way out, never a library's words, a path of the server or a secret.

Those that the library raises are also in the package itself:

    from cvserve import ImageError, Predictor
    try:
        prediction = Predictor.load("model.onnx").predict("img.jpg")
    except ImageError as error:    # InvalidImage, ImageTooLarge or UnsupportedImage
        print(error.code, error.detail)

An error of a new kind is a class here, and a row in `server/problems.py` if its code is new. A worker process can
answer with any of them (`engine/frames.py`), whatever its constructor takes; of its attributes cross those without a
leading underscore that are texts, numbers, truth values or None.
"""

from typing import ClassVar


class CvserveError(Exception):
    """Base of all errors that cvserve raises on purpose.

    Attributes:
        code: the snake_case word for programs, the same in HTTP answers, `--json` and batches.
        exit_code: what the command line ends with.
    """

    code: ClassVar[str] = "model_error"
    exit_code: ClassVar[int] = 1

    @property
    def detail(self) -> str:
        """The sentence for people."""
        return str(self)


class InvalidSetting(CvserveError):
    """A setting, an option or an argument has a value that cannot be used."""

    code = "invalid_parameter"
    exit_code = 2


class InvalidParameter(InvalidSetting):
    """A request's parameter has a value that cannot be used."""


class CannotStart(CvserveError):
    """The server, or a command, cannot begin: port taken, folder not writable, already running."""

    code = "not_ready"
    exit_code = 3


class HistoryError(CannotStart):
    """`cvserve.db` cannot be used."""

    code = "history_unavailable"


class HistoryUnavailable(HistoryError):
    """The history is locked by somebody else, damaged or gone."""


class HistoryDamaged(HistoryUnavailable):
    """What is in the history's file contradicts itself, or the file is no database any more."""


class StorageFull(HistoryError):
    """There is no space left for the history."""

    code = "storage_full"


class Unsafe(CvserveError):
    """Refused for safety: a file that others may read or replace, a link in place of a file."""

    code = "forbidden"
    exit_code = 4


class ModelLoadError(CvserveError):
    """The file is no model that can be served, or it does not fit what was declared for it."""

    exit_code = 5


class UntrustedModel(ModelLoadError):
    """Code can hide in this file, and nobody has vouched for its SHA-256 yet.

    Attributes:
        sha256: hash of the file as it was read, 64 hex digits.
    """

    def __init__(self, message: str, sha256: str = "") -> None:
        super().__init__(message)
        self.sha256 = sha256


class ImageError(CvserveError):
    """One picture cannot be answered; its neighbours can."""


class InvalidImage(ImageError):
    """Not an image, cut off, damaged, empty or too slow to decode."""

    code = "invalid_image"


class ImageTooLarge(ImageError):
    """Too many pixels or frames, or too few pixels for the model."""

    code = "image_too_large"


class UnsupportedImage(ImageError):
    """An image of a format that is not allowed here."""

    code = "unsupported_image"


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


class PredictError(CvserveError):
    """The picture may be fine: the server or the model is not."""


class Overloaded(PredictError):
    """The queue is full."""

    code = "overloaded"


class NotReady(PredictError):
    """The model is loading, or the server is stopping."""

    code = "not_ready"


class PredictTimeout(PredictError):
    """The model took longer than `predict_timeout`."""

    code = "predict_timeout"


class ModelError(PredictError):
    """The model raised, or answered something that is no score for each picture."""

    code = "model_error"


class WorkerDied(PredictError):
    """The process that held the picture died with it."""

    code = "worker_died"
