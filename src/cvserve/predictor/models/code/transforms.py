"""`[input] transform = "train.py:val_transform"`: code that a `model.toml` names, read and vouched for before it runs.

A `model.toml` lies beside a model and may be a stranger's, so its code needs trust as a pickle does. Only where a
person names a class in the same folder is that folder's code run on purpose already.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import NamedTuple

from cvserve.errors import ModelLoadError, Unsafe
from cvserve.files import is_inside
from cvserve.predictor.models.code.trust import require_trust
from cvserve.predictor.models.config.read import ModelConfig
from cvserve.predictor.models.fault import ModelFault, about
from cvserve.predictor.models.files.file import ModelFile, read_model_file, with_imports
from cvserve.predictor.models.formats.kinds import PYTHON

TRANSFORM = "input.transform"


class _Purpose(NamedTuple):
    """Which code a caller runs on purpose: all of it, or that of a folder."""

    trust: bool = False
    folder: Path | None = None


class TransformCode(NamedTuple):
    """A transform that may be run.

    Attributes:
        file: with what it imports from beside it.
        name: of the transform in it.
        is_strict: it is vouched for by its hash alone, so nothing may be imported that is not in it.
    """

    file: ModelFile
    name: str
    is_strict: bool


_NONE = _Purpose()
_purpose: ContextVar[_Purpose] = ContextVar("transform_purpose", default=_NONE)


@contextmanager
def run_on_purpose(*, trust: bool, folder: Path | None) -> Iterator[None]:
    """Let transforms in the block be run without a record of trust.

    Args:
        trust: whether the caller vouches for all code.
        folder: of a class that a person named, whose own code is run anyway.
    """
    token = _purpose.set(_Purpose(trust, folder))
    try:
        yield
    finally:
        _purpose.reset(token)


def find_transform(config: ModelConfig) -> TransformCode | None:
    """The transform that a `model.toml` names, if somebody vouches for it; None when it names none.

    Raises:
        ModelLoadError: there is no such file.
        UntrustedModel: nobody vouches for it.
        Unsafe: it leads out of its folder, others may replace it, or the record of trust.
    """
    file = read_transform(config)
    if file is None:
        return None
    purpose = _purpose.get()
    is_meant = purpose.trust or (purpose.folder is not None and is_inside(file.path, purpose.folder))
    require_trust(file, trust=is_meant, sha256=None)
    return TransformCode(file, config.values[TRANSFORM].rpartition(":")[2], not is_meant)


def read_transform(config: ModelConfig) -> ModelFile | None:
    """The file of the transform, with what it imports; nothing in it is run.

    Raises:
        ModelLoadError: there is no such file, or it cannot be read.
        Unsafe: it leads out of its folder, or others may replace it.
    """
    if TRANSFORM not in config.values:
        return None
    name = config.values[TRANSFORM].rpartition(":")[0]
    path = config.path.parent / name
    with about(config.file_name):
        if not path.is_file():
            raise ModelFault(f"has transform = '{config.values[TRANSFORM]}', but there is no file '{path}'.")
    if not is_inside(path, config.path.parent):
        raise Unsafe(
            f"'{name}' leads out of the folder of {config.file_name}, whose code it is; put a copy in its place."
        )
    file = read_model_file(path)
    if file.kind is not PYTHON:
        raise ModelLoadError(f"'{name}' of {config.file_name} is {file.kind.title}, not a Python file.")
    return with_imports(file)
