"""What a file of settings may name in a file of code: who vouches for the code has not chosen the name.

A trusted `train.py` with `from subprocess import run` is honest; `train.py:run` with arguments of a stranger's
`model.toml` is a command of the stranger's.
"""

import inspect
from types import ModuleType
from typing import Any

from cvserve.errors import Unsafe
from cvserve.predictor.models.files.file import ModelFile
from cvserve.predictor.models.files.imports import is_installed


def check_named(thing: Any, name: str, module: ModuleType, code: ModelFile) -> None:
    """Refuse to call what a file of code has only imported from elsewhere; an object in it is not called.

    Args:
        thing: that a file of settings names.
        name: by which it does.
        module: in which it was found.
        code: the file of the module, with what was hashed with it.

    Raises:
        Unsafe: it is a class or a function from outside of the code that somebody vouched for.
    """
    if not (isinstance(thing, type) or inspect.isroutine(thing)):
        return
    home = getattr(thing, "__module__", None) or ""
    if home == module.__name__ or home in {one.name for one in code.imports}:
        return
    if is_installed(code.path) and home.partition(".")[0] == module.__name__.partition(".")[0]:
        return  # a package gathers under one name what its modules define
    raise Unsafe(
        f"A file of settings names '{name}' in '{code.path.name}', which only imports it"
        f"{f' from {home}' if home else ''}, so that nobody has vouched for it as a model; define a class or a "
        "function there, or name the model yourself, by --model."
    )
