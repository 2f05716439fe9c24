"""The module of a class: found without running anything; a file is then run from the very bytes that were hashed."""

import importlib
import importlib.util
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from cvserve.errors import ModelLoadError
from cvserve.files import is_inside
from cvserve.model_name import class_reference
from cvserve.predictor.models.fault import about
from cvserve.predictor.models.files.file import ModelFile
from cvserve.predictor.models.files.imports import HashedFinder, ImportedModule, is_installed
from cvserve.predictor.models.library import missing_library

# Libraries whose functions make models, and what brings them
_LIBRARIES = {"timm": "'cvserve[timm]'", "torchvision": "'cvserve[torch]' torchvision"}


def source_path(where: str) -> Path:
    """The Python file of `my_model.py` or `package.module`; no code of it or of its packages is run.

    Raises:
        ModelLoadError: there is no such module, or it has no source.
        ModelFault: it is of a library that is not installed.
    """
    if where.endswith(".py"):
        return Path(where)
    with importable(_local_folder(where)):
        spec = _spec_of(where)
    if spec.origin is None or not spec.origin.endswith(".py"):
        raise ModelLoadError(f"The module '{where}' is no Python file; name the module in which the class stands.")
    return Path(spec.origin)


def file_of(model: str | os.PathLike[str]) -> Path:
    """The file to hash of what was named as a model: itself, or the Python file of a class.

    Raises:
        ModelLoadError: as `source_path`.
    """
    reference = class_reference(os.fspath(model))
    if reference is None:
        return Path(model)
    with about(f"'{os.fspath(model)}'"):
        return source_path(reference[0])


def code_folder(where: str, source: Path) -> Path:
    """Where the code stands, for messages and checks: the file's folder, or for a module the working folder."""
    return source.parent if where.endswith(".py") else Path.cwd()


def import_folder(where: str, source: Path) -> Path | None:
    """What must be on the path for the module's own imports; None for what is installed, which finds its own.

    Whoever names `torchvision.models` means the package, and not a stranger's folder in which they happen to work.
    """
    return source.parent if where.endswith(".py") else _local_folder(where)


def closed_folders(where: str, source: Path) -> tuple[Path, ...]:
    """From which code that is trusted by its hash may import nothing that is not in the hash.

    Its folder, and the working folder around it: all of it may be one stranger's.
    """
    here = Path.cwd()
    around = (here,) if is_inside(source, here) else ()
    is_package = not where.endswith(".py") and is_installed(source)
    return around if is_package else (source.parent, *around)


@contextmanager
def importable(folder: Path | None) -> Iterator[None]:
    """Put a folder first on `sys.path`, as it is for a script in it; None: nothing."""
    if folder is None:
        yield
        return
    entry = str(folder.absolute())
    sys.path.insert(0, entry)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        if entry in sys.path:
            sys.path.remove(entry)


@contextmanager
def hashed_only(source: ModelFile, folders: Sequence[Path]) -> Iterator[None]:
    """Import what is beside a file from the bytes that were hashed with it.

    Args:
        source: with its modules.
        folders: from which nothing else may be imported, now and later; none: the files count again afterwards.
    """
    finder = HashedFinder(source.imports, folders)
    sys.meta_path.insert(0, finder)
    is_kept = False
    try:
        yield
        is_kept = bool(folders)
    finally:
        if not is_kept:
            sys.meta_path.remove(finder)


@contextmanager
def hashed_class(where: str, source: ModelFile, *, is_strict: bool) -> Iterator[None]:
    """As `hashed_only`, also for the file itself where it is imported by its name.

    Args:
        where: `my_model.py` or `package.module`.
        source: its file, with its modules.
        is_strict: whether it is vouched for by its hash alone.
    """
    if not where.endswith(".py"):
        source = replace(source, imports=(*source.imports, ImportedModule(where, source.path, source.data)))
    with hashed_only(source, closed_folders(where, source.path) if is_strict else ()):
        yield


def run_module(where: str, source: ModelFile) -> ModuleType:
    """The module, in `sys.modules` under a name that stays the same: a pickle made with it finds its classes.

    Raises:
        Exception: whatever the module raises.
    """
    if not where.endswith(".py"):
        return importlib.import_module(where)
    path = source.path.absolute()
    name = _name_for(path)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None  # it ends in .py
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(name)
    sys.modules[name] = module
    try:
        exec(compile(source.data, str(path), "exec"), module.__dict__)  # noqa: S102 - this is what was asked for
    except BaseException:
        if before is None:
            del sys.modules[name]
        else:
            sys.modules[name] = before
        raise
    return module


def _name_for(path: Path) -> str:
    """The file's stem, as if it had been imported, unless that is the name of another module."""
    name = path.stem
    known = sys.modules.get(name)
    is_other = known is not None and getattr(known, "__file__", None) != str(path)
    if name.isidentifier() and name not in sys.stdlib_module_names and not is_other:
        return name
    return "cvserve_model_" + re.sub(r"\W", "_", name)


def _local_folder(module: str) -> Path | None:
    """The working folder for a module that may be in it; None if its first name is that of something installed."""
    installed = _find_spec(module.partition(".")[0], None)
    # A folder without `__init__.py` has no code of its own, and gives way to any package.
    return Path.cwd() if installed is None or installed.origin is None else None


def _find_spec(name: str, search: list[str] | None) -> ModuleSpec | None:
    """As `import` would find it, were there no code that may import only what was hashed with it."""
    finders = [one for one in sys.meta_path if hasattr(one, "find_spec") and not isinstance(one, HashedFinder)]
    found = (finder.find_spec(name, search) for finder in finders)
    return next((candidate for candidate in found if candidate is not None), None)


def _spec_of(module: str) -> ModuleSpec:
    """Where a module would be imported from. `importlib.util.find_spec` would run the packages around it."""
    search: list[str] | None = None
    spec: ModuleSpec | None = None
    parts = module.split(".")
    for count in range(1, len(parts) + 1):
        name = ".".join(parts[:count])
        spec = _find_spec(name, search)
        if spec is None and name in _LIBRARIES:
            raise missing_library(name, _LIBRARIES[name])
        if spec is None or (count < len(parts) and spec.submodule_search_locations is None):
            raise ModelLoadError(
                f"There is no module '{module}' ('{name}' was not found here or among what is installed); check its "
                "name, or give the path of its file: folder/my_model.py:ClassName."
            )
        search = None if spec.submodule_search_locations is None else list(spec.submodule_search_locations)
    assert spec is not None  # a name has at least one part
    return spec
