"""Modules of its maker beside a pickle: imported from there while it is read, from the bytes that were hashed."""

import contextlib
import sys
from collections.abc import Iterator

from cvserve.predictor.backends.python.module import hashed_only
from cvserve.predictor.models.files.file import ModelFile


@contextlib.contextmanager
def importable_beside(file: ModelFile, *, is_strict: bool) -> Iterator[None]:
    """Let a pickle find the modules that were hashed with it.

    What is loaded already under one of their names may be another version of it, or from another folder, and is
    loaded anew: the hash is to name what answers.

    Args:
        file: with its modules.
        is_strict: whether nothing else may come from its folder, since somebody vouched for the hash.
    """
    if not file.imports:
        yield
        return
    for module in file.imports:
        sys.modules.pop(module.name, None)
    with hashed_only(file, (file.path.absolute().parent,) if is_strict else ()):
        yield
