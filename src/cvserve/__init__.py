"""cvserve: serve an image classifier, remember what it said, and answer for it.

Importing this package does nothing but define these names; each is loaded when it is first used.
"""

TYPE_CHECKING = False  # as type checkers take it; `typing` itself is slow to load
if TYPE_CHECKING:
    from cvserve.errors import CvserveError as CvserveError
    from cvserve.history.history import History as History
    from cvserve.predictor.prediction import ClassScore as ClassScore
    from cvserve.predictor.prediction import Prediction as Prediction
    from cvserve.predictor.predictor import Predictor as Predictor
    from cvserve.server.app import create_app as create_app
    from cvserve.settings import Settings as Settings

__version__ = "0.1.0"

_HOMES = {
    "ClassScore": "cvserve.predictor.prediction",
    "CvserveError": "cvserve.errors",
    "History": "cvserve.history.history",
    "Prediction": "cvserve.predictor.prediction",
    "Predictor": "cvserve.predictor.predictor",
    "Settings": "cvserve.settings",
    "create_app": "cvserve.server.app",
}

__all__ = [
    "ClassScore",
    "CvserveError",
    "History",
    "Prediction",
    "Predictor",
    "Settings",
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
