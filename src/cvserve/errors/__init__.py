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
    │   ├── HeadersTooLarge, UriTooLong, RequestTimeout
    │   ├── NotFound, MethodNotAllowed, Unauthenticated, Forbidden, CsrfRejected, Misdirected, RateLimited
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

An error of a new kind is a class in this folder, named below, and a row in `server/problems.py` if its code is new. A
worker process can answer with any of them (`engine/frames.py`), whatever its constructor takes; of its attributes cross
those without a leading underscore that are texts, numbers, truth values or None.
"""

from cvserve.errors.base import (
    CannotStart,
    CvserveError,
    HistoryDamaged,
    HistoryError,
    HistoryUnavailable,
    ImageError,
    ImageTooLarge,
    InvalidImage,
    InvalidParameter,
    InvalidSetting,
    ModelError,
    ModelLoadError,
    NotReady,
    Overloaded,
    OverloadReason,
    PredictError,
    PredictTimeout,
    StorageFull,
    Unsafe,
    UnsupportedImage,
    UntrustedModel,
    WorkerDied,
)
from cvserve.errors.request import (
    CsrfRejected,
    Forbidden,
    HeadersTooLarge,
    MalformedBody,
    MethodNotAllowed,
    Misdirected,
    MissingFile,
    NotFound,
    PayloadTooLarge,
    RateLimited,
    RequestError,
    RequestTimeout,
    Unauthenticated,
    UnsupportedMediaType,
    UriTooLong,
)

__all__ = [
    "CannotStart",
    "CsrfRejected",
    "CvserveError",
    "Forbidden",
    "HeadersTooLarge",
    "HistoryDamaged",
    "HistoryError",
    "HistoryUnavailable",
    "ImageError",
    "ImageTooLarge",
    "InvalidImage",
    "InvalidParameter",
    "InvalidSetting",
    "MalformedBody",
    "MethodNotAllowed",
    "Misdirected",
    "MissingFile",
    "ModelError",
    "ModelLoadError",
    "NotFound",
    "NotReady",
    "OverloadReason",
    "Overloaded",
    "PayloadTooLarge",
    "PredictError",
    "PredictTimeout",
    "RateLimited",
    "RequestError",
    "RequestTimeout",
    "StorageFull",
    "Unauthenticated",
    "Unsafe",
    "UnsupportedImage",
    "UnsupportedMediaType",
    "UntrustedModel",
    "UriTooLong",
    "WorkerDied",
]
