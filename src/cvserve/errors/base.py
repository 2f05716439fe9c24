"""The root of the error tree, and the errors of settings, history, models and pictures."""

from typing import ClassVar, Literal

# What there was no room for. Metrics have them as labels, so an operator knows which limit was met.
OverloadReason = Literal["queue_full", "gave_way", "bytes", "connections", "history_turn", "history_scan"]


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
        path: of the file, which need not be the model: a transform, say.
    """

    def __init__(self, message: str, sha256: str = "", path: str = "") -> None:
        super().__init__(message)
        self.sha256 = sha256
        self.path = path


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


class PredictError(CvserveError):
    """The picture may be fine: the server or the model is not."""


class Overloaded(PredictError):
    """There is no room at the moment: in the queue, in memory, for a connection, or to read a list of the history.

    Attributes:
        reason: which of these, and why.
    """

    code = "overloaded"

    def __init__(self, message: str, reason: OverloadReason = "queue_full") -> None:
        super().__init__(message)
        self.reason: OverloadReason = reason


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
