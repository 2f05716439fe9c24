"""cvserve: serve an image classifier, remember what it said, and answer for it.

    Predictor, Prediction, ClassScore    the model in a notebook, and its answers
    Prepared, Inferred                   what the steps of a model of your own may give, with warnings
    History                              what was predicted, in `cvserve.db`
    Settings, create_app                 the server, to mount in an app of your own
    CvserveError and its subclasses      what all of these raise; `cvserve.errors` has the whole tree

Importing this package does nothing but define these names; each is loaded when it is first used.
"""

TYPE_CHECKING = False  # as type checkers take it; `typing` itself is slow to load
if TYPE_CHECKING:
    from cvserve.errors import CannotStart as CannotStart
    from cvserve.errors import CvserveError as CvserveError
    from cvserve.errors import HistoryError as HistoryError
    from cvserve.errors import ImageError as ImageError
    from cvserve.errors import ImageTooLarge as ImageTooLarge
    from cvserve.errors import InvalidImage as InvalidImage
    from cvserve.errors import InvalidSetting as InvalidSetting
    from cvserve.errors import ModelError as ModelError
    from cvserve.errors import ModelLoadError as ModelLoadError
    from cvserve.errors import NotFound as NotFound
    from cvserve.errors import Unsafe as Unsafe
    from cvserve.errors import UnsupportedImage as UnsupportedImage
    from cvserve.errors import UntrustedModel as UntrustedModel
    from cvserve.history.history import History as History
    from cvserve.predictor.contract import Inferred as Inferred
    from cvserve.predictor.contract import Prepared as Prepared
    from cvserve.predictor.prediction import ClassScore as ClassScore
    from cvserve.predictor.prediction import Prediction as Prediction
    from cvserve.predictor.predictor import Predictor as Predictor
    from cvserve.server.app import create_app as create_app
    from cvserve.settings import Settings as Settings

__version__ = "0.1.0"

_HOMES = {
    "CannotStart": "cvserve.errors",
    "ClassScore": "cvserve.predictor.prediction",
    "CvserveError": "cvserve.errors",
    "History": "cvserve.history.history",
    "HistoryError": "cvserve.errors",
    "ImageError": "cvserve.errors",
    "ImageTooLarge": "cvserve.errors",
    "Inferred": "cvserve.predictor.contract",
    "InvalidImage": "cvserve.errors",
    "InvalidSetting": "cvserve.errors",
    "ModelError": "cvserve.errors",
    "ModelLoadError": "cvserve.errors",
    "NotFound": "cvserve.errors",
    "Prediction": "cvserve.predictor.prediction",
    "Predictor": "cvserve.predictor.predictor",
    "Prepared": "cvserve.predictor.contract",
    "Settings": "cvserve.settings",
    "Unsafe": "cvserve.errors",
    "UnsupportedImage": "cvserve.errors",
    "UntrustedModel": "cvserve.errors",
    "create_app": "cvserve.server.app",
}

__all__ = [
    "CannotStart",
    "ClassScore",
    "CvserveError",
    "History",
    "HistoryError",
    "ImageError",
    "ImageTooLarge",
    "Inferred",
    "InvalidImage",
    "InvalidSetting",
    "ModelError",
    "ModelLoadError",
    "NotFound",
    "Prediction",
    "Predictor",
    "Prepared",
    "Settings",
    "Unsafe",
    "UnsupportedImage",
    "UntrustedModel",
    "__version__",
    "create_app",
]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'cvserve' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
