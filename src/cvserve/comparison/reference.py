"""The framework's own pipeline, named as a model is: `train.py:predict`, from one picture to its scores."""

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cvserve.comparison.own_modules import OwnModules
from cvserve.errors import CvserveError, InvalidSetting
from cvserve.model_name import class_reference
from cvserve.predictor.backends.python.module import code_folder, import_folder, run_module, source_path
from cvserve.predictor.models.files.file import read_model_file
from cvserve.predictor.user_code import describe_error
from cvserve.texts import list_some

# A parameter that is called so wants the path of a picture, any other one the picture.
_PATH_NAMES = ("path", "file", "filename", "file_name", "filepath", "file_path", "image_path", "img_path")
_PATH_TYPES = (str, Path, "str", "Path", "pathlib.Path")
_MAX_SHOWN = 5


class Reference:
    """A function from a picture to scores, run because a person named it on the command line.

    Args:
        name: as it was named, for messages.
        function: takes a PIL image of mode RGB, as torchvision's loader gives it, or the path of a picture if its
            first parameter is called `path` or annotated as one; gives a score for each class.
        folder: of its code, for messages.
        own: modules that it alone may import.
    """

    def __init__(self, name: str, function: Callable[..., Any], folder: Path, own: OwnModules) -> None:
        self.name = name
        self._function = function
        self._folder = folder
        self._own = own
        self._takes_path = _takes_path(function)

    def ask(self, path: Path) -> NDArray[np.float64]:
        """Scores of one picture, [classes], whatever kind of array they came in.

        Raises:
            InvalidSetting: the function fails, or gives no scores; the sentence has its file, line and words.
        """
        try:
            with self._own.in_place():
                return to_row(self._function(path if self._takes_path else _open(path)))
        except (Exception, SystemExit) as error:  # anybody's code
            raise InvalidSetting(
                f"--reference {self.name} failed for '{path}': {describe_error(error, self._folder)}"
            ) from None


def load_reference(name: str) -> Reference:
    """The function that `train.py:predict` or `package.module:predict` names; its file is run.

    Raises:
        InvalidSetting: there is no such file or function, or running the file fails.
    """
    found = class_reference(name)
    if found is None:
        raise InvalidSetting(f"--reference is '{name}'; name a function in a Python file, such as train.py:predict.")
    where, attribute = found
    if where.endswith(".py") and not Path(where).is_file():
        raise InvalidSetting(f"--reference is '{name}', and there is no file '{where}'; check the path.")
    try:
        file = read_model_file(source_path(where))
    except CvserveError as error:
        raise InvalidSetting(f"--reference {name}: {error.detail}") from None
    folder = code_folder(where, file.path).absolute()
    if import_folder(where, file.path) is not None:
        sys.path.insert(0, str(folder))  # it stays there: the function may import when it is called
    own = OwnModules()
    try:
        with own.in_place():
            module = run_module(where, file)
            own.claim(module.__name__)
            function = getattr(module, attribute, None)
            if isinstance(function, type):
                function = function()
    except (Exception, SystemExit) as error:  # anybody's code
        raise InvalidSetting(f"--reference {name} cannot be run: {describe_error(error, folder)}") from None
    if not callable(function):
        raise InvalidSetting(f"There is no function '{attribute}' in '{file.path.name}'{_list_functions(module)}.")
    return Reference(name, function, folder, own)


def to_row(answer: Any) -> NDArray[np.float64]:
    """One picture's scores as an array [classes], from a tensor, an array, a list or what pipelines wrap around them.

    Raises:
        ValueError: it is no row of numbers.
    """
    if isinstance(answer, dict) and "logits" in answer:
        answer = answer["logits"]
    if isinstance(answer, (list, tuple)) and len(answer) == 1:
        answer = answer[0]
    for attribute in ("logits", "probs", "data"):  # of transformers and of Ultralytics
        inner = getattr(answer, attribute, None)
        if inner is not None and not isinstance(answer, np.ndarray) and not isinstance(inner, memoryview):
            answer = inner
    if hasattr(answer, "detach"):
        answer = answer.detach().cpu().float()
    values = np.asarray(answer.numpy() if hasattr(answer, "numpy") else answer, dtype=np.float64)
    if values.size == 0 or values.size != max(values.shape, default=1):
        raise ValueError(f"it gave an array of shape {list(values.shape)}; give one score for each class")
    return values.reshape(-1)


def _open(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        return picture.convert("RGB")


def _takes_path(function: Callable[..., Any]) -> bool:
    try:
        first = next(iter(inspect.signature(function).parameters.values()), None)
    except (TypeError, ValueError):  # some of C do not say
        return False
    return first is not None and (first.name in _PATH_NAMES or first.annotation in _PATH_TYPES)


def _list_functions(module: Any) -> str:
    own = [
        name
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__
    ]
    return f"; it has {list_some(own, _MAX_SHOWN)}" if own else ""
