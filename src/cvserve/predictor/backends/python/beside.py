"""What stands beside the module of a class, for a class that is used by itself: `MaskModel()`.

It gives the same name, version, labels and preparation as `Predictor.load("my_model.py:MaskModel")`.
"""

import hashlib
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NamedTuple

from cvserve.errors import ModelLoadError
from cvserve.predictor.models.fault import about
from cvserve.predictor.models.file import ModelFile
from cvserve.predictor.models.input_spec import InputSpec
from cvserve.predictor.models.kinds import PYTHON
from cvserve.predictor.models.resolve import ModelFacts, input_spec
from cvserve.predictor.models.toml_keys import check_labels
from cvserve.predictor.models.toml_read import ModelConfig, read_config
from cvserve.predictor.prediction import ModelInfo
from cvserve.predictor.steps import Steps

_OURS = Path(__file__).parents[3]
_loading: ContextVar[Path | None] = ContextVar("file whose classes are being loaded", default=None)


class Beside(NamedTuple):
    """What `model.toml` says, else the class.

    Attributes:
        info: name, hash of the Python file, format.
        labels: names of the classes, or None.
        scores: kind of scores, or None.
        preparation: of `[input]`, None when there is none.
    """

    info: ModelInfo
    labels: Sequence[str] | None
    scores: str | None
    preparation: InputSpec | None


def read_beside(own: Steps, model_format: str) -> Beside | None:
    """Read it; None for a class that has no file, as in a notebook, or that `config_from_loader` is about.

    Raises:
        ModelLoadError: `model.toml` cannot be used, or the class has a `preprocess` and it an `[input]`.
    """
    path = _source_of(type(own))
    if path is None or path.absolute() == _loading.get():
        return None
    data = path.read_bytes()  # it has run already: to ask who may replace it would be too late
    file = ModelFile(path, data, hashlib.sha256(data).hexdigest(), PYTHON, owner=0, mode=0)
    config = read_config(path)
    info = ModelInfo(config.values.get("name", name_of(own)), file.sha256, model_format)
    labels = config.values.get("labels", own.labels)
    scores = config.values.get("output.scores", own.scores)
    return Beside(info, labels, scores, _preparation(own, config, file))


@contextmanager
def config_from_loader(path: Path) -> Iterator[None]:
    """While the classes of a file are made by its loader, which may have been given another `model.toml`."""
    token = _loading.set(path.absolute())
    try:
        yield
    finally:
        _loading.reset(token)


def name_of(own: Any) -> str:
    """As the object says, else its class's name in lower case."""
    return str(getattr(own, "name", "") or type(own).__name__.lower())


def labels_of(own: Any, file_name: str) -> tuple[str, ...] | None:
    """As the object says; None when it does not.

    Raises:
        ModelLoadError: they cannot be used.
    """
    labels = getattr(own, "labels", None)
    if labels is None:
        return None
    with about(file_name):
        return check_labels("labels", [str(label) for label in labels])


def has_input(own: Any, config: ModelConfig, file_name: str) -> bool:
    """Whether `[input]` prepares the pictures of an object.

    Raises:
        ModelLoadError: it does, and so does the object.
    """
    said = any(key.startswith("input.") for key in config.values)
    prepares_itself = own.prepares_itself if isinstance(own, Steps) else hasattr(own, "preprocess")
    if said and prepares_itself:
        raise ModelLoadError(
            f"{type(own).__name__} in {file_name} has a preprocess of its own, and {config.file_name} has [input]; "
            "keep one of the two."
        )
    return said or not hasattr(own, "preprocess")


def _preparation(own: Steps, config: ModelConfig, file: ModelFile) -> InputSpec | None:
    if not has_input(own, config, file.path.name):
        return None

    def never(*_: Any) -> Any:
        raise AssertionError("only the input is asked for")

    return input_spec(ModelFacts("python", never), config, file, {})


def _source_of(kind: type) -> Path | None:
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    if file is None or Path(file).is_relative_to(_OURS) or not os.path.isfile(file):
        return None
    return Path(file) if file.endswith(".py") else None
