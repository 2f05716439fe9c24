"""What a Python file imports from its own folder: read once, hashed with the file, and run from the bytes hashed.

It is found in the text: `import` and `from … import`, wherever they stand. What a name is computed for is not found;
where trust depends on the hash, such an import from the folder is refused. Installed packages are not part of it.
"""

import ast
import errno
import hashlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType
from typing import Any, NamedTuple

from cvserve.files import read_once

# Of a text: Python needs some hundred times its size to tell what is imported in it.
MAX_BYTES = 2 * 1024**2
_MAX_TOTAL_BYTES = 8 * MAX_BYTES
_MOST_MODULES = 2000
_INSTALLED = ("site-packages", "dist-packages")
_SUFFIXES = tuple(importlib.machinery.all_suffixes())
# In a thread that runs code which its user named: what that may import and hashed code may not.
_LET_IN: ContextVar[set[str] | None] = ContextVar("let_in", default=None)


class ImportedModule(NamedTuple):
    """A module beside a Python file.

    Attributes:
        name: by which it is imported, e.g. `tools.colour`.
        path: of its file.
        data: everything in it.
    """

    name: str
    path: Path
    data: bytes

    @property
    def sha256(self) -> str:
        """Hash of its file, 64 hex digits."""
        return hashlib.sha256(self.data).hexdigest()


def find_imports(path: Path, source: bytes) -> tuple[ImportedModule, ...]:
    """The modules that a file imports from its folder or its package, and those that they import, by name.

    Args:
        path: of a Python file.
        source: everything in it.

    Raises:
        OSError: one of them cannot be read, or they are too large.
    """
    path = path.absolute()
    if is_installed(path):
        return ()
    outer, package = _package_of(path)
    roots = (path.parent, outer)
    found: dict[str, ImportedModule] = {}
    todo = [(package, source)] + [(package, b"import " + ".".join(package).encode("utf-8"))] * bool(package)
    spare = _MAX_TOTAL_BYTES
    while todo and len(found) < _MOST_MODULES:
        inside, text = todo.pop()
        for name in dict.fromkeys(_imported_names(text, inside)):
            for module_name, file in _locate(name, roots):
                if module_name not in found and file != path:
                    module = found[module_name] = ImportedModule(module_name, file, _read(file, spare))
                    spare -= len(module.data)
                    parts = tuple(module_name.split("."))
                    todo.append((parts if file.name == "__init__.py" else parts[:-1], module.data))
    return tuple(found[name] for name in sorted(found))


def is_installed(path: Path) -> bool:
    """Whether a Python file is one of an installed package, and no work of its user's."""
    return any(part in _INSTALLED for part in path.absolute().parts)


def combine_hashes(sha256: str, modules: Sequence[ImportedModule]) -> str:
    """The hash of a file together with its modules; that of the file alone when there are none."""
    if not modules:
        return sha256
    combined = hashlib.sha256(bytes.fromhex(sha256))
    for module in modules:
        combined.update(module.name.encode("utf-8") + b"\0" + bytes.fromhex(module.sha256))
    return combined.hexdigest()


class HashedFinder(importlib.abc.MetaPathFinder):
    """Imports modules from the bytes that were hashed, and none from their folder that was not.

    Args:
        modules: as they were read.
        folders: from which nothing else may come, wherever in them it is; none: everything may. What is on the path
            by now, such as an environment in the folder, is the user's own.
    """

    def __init__(self, modules: Sequence[ImportedModule], folders: Sequence[Path]) -> None:
        self._modules = {module.name: module for module in modules}
        self._folders = [folder.absolute() for folder in folders]
        places = [os.path.abspath(entry) for entry in sys.path]
        closed = [*map(str, self._folders), os.getcwd()]
        self._installed = [place for place in places if place not in closed and self._is_inside(place)]

    def find_spec(self, name: str, path: Any = None, _target: Any = None) -> ModuleSpec | None:
        """How a hashed module is imported; None for what is not in the folders."""
        module = self._modules.get(name)
        if module is not None:
            inner = [str(module.path.parent)] if module.path.name == "__init__.py" else None
            return importlib.util.spec_from_file_location(
                name, module.path, loader=_Loader(module), submodule_search_locations=inner
            )
        if self._folders and not _is_hashed(name) and self._is_beside(name, path):
            let_in = _LET_IN.get()
            if let_in is not None:
                let_in.add(name)
                return None
            raise ImportError(f"{name} is beside the model and not in its hash; import it by a plain import statement")
        return None

    def _is_beside(self, name: str, path: Any) -> bool:
        """Whether a module would come from the folders, also by a path that the code has made up."""
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is None:
            base = Path(*name.split("."))
            return any(_is_there(folder / base) for folder in self._folders)
        if not spec.has_location or spec.origin is None:  # a folder without `__init__.py`: there is no code in it
            return False
        origin = os.path.abspath(spec.origin)
        return self._is_inside(origin) and not _is_below(origin, [*self._installed, *_package_folder(name)])

    def _is_inside(self, place: str) -> bool:
        return any(
            _is_below(there, [str(folder), os.path.realpath(folder)])
            for folder in self._folders
            for there in (place, os.path.realpath(place))
        )


@contextmanager
def let_in(names: set[str]) -> Iterator[None]:
    """Let code of this thread import what is beside it, though hashed code that is loaded may not.

    Args:
        names: gets those of the modules that hashed code may not import.
    """
    token = _LET_IN.set(names)
    try:
        yield
    finally:
        _LET_IN.reset(token)


class _Loader(importlib.machinery.SourceFileLoader):
    """Runs what was read, and neither the file as it is now nor what lies compiled in `__pycache__`."""

    def __init__(self, module: ImportedModule) -> None:
        super().__init__(module.name, str(module.path))
        self._module = module

    def get_code(self, _name: str) -> CodeType:
        return compile(self._module.data, self.path, "exec", dont_inherit=True)

    def get_data(self, path: str) -> bytes:
        return self._module.data if path == self.path else super().get_data(path)


def _is_hashed(name: str) -> bool:
    """Whether it is of code that was hashed, be it this or other code."""
    return any(isinstance(finder, HashedFinder) and name in finder._modules for finder in sys.meta_path)


def _package_folder(name: str) -> list[str]:
    """Of a module in a package that was let in already: the package's folder; it may be installed as a link."""
    top, dot, _ = name.partition(".")
    file = getattr(sys.modules.get(top), "__file__", None)
    return [os.path.dirname(os.path.abspath(file))] if dot and file and not _is_hashed(top) else []


def _is_below(place: str, folders: Sequence[str]) -> bool:
    return any(place == folder or place.startswith(folder.rstrip(os.sep) + os.sep) for folder in folders)


def _package_of(path: Path) -> tuple[Path, tuple[str, ...]]:
    """The folder above the outermost package of a file, and the package's name in parts; none: its own folder."""
    parts: list[str] = []
    folder = path.parent
    while (folder / "__init__.py").is_file():
        parts.insert(0, folder.name)
        folder = folder.parent
    return folder, tuple(parts)


def _imported_names(text: bytes, package: tuple[str, ...]) -> Iterator[str]:
    try:
        nodes = list(ast.walk(ast.parse(text)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return  # it does not run either
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from ([base] if base else [])
            yield from (f"{base}.{alias.name}".lstrip(".") for alias in node.names)


def _locate(name: str, roots: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    """The files of a name and of the packages around it, under each root that has them, each with its own name."""
    for root in dict.fromkeys(roots):
        parts = name.split(".")
        for count in range(1, len(parts) + 1):
            base = root.joinpath(*parts[:count])
            files = (base / "__init__.py", Path(f"{base}.py"))
            for file in [entry for entry in files if _is_file(entry)][:1]:
                yield ".".join(parts[:count]), file
            if not base.is_dir():
                break  # nor is anything in it


def _read(path: Path, spare: int) -> bytes:
    """Everything in a file of code; a sparse one costs its maker nothing, whatever its size."""
    max_bytes = min(MAX_BYTES, spare)
    data, status = read_once(path, max_bytes)
    size = max(len(data), status.st_size)
    if size > max_bytes:
        of_all = f"{_MAX_TOTAL_BYTES:,} of all code beside it" if max_bytes < MAX_BYTES else f"{MAX_BYTES:,}"
        raise OSError(errno.EFBIG, f"it has {size:,} bytes, and at most {of_all} are read", str(path))
    return data


def _is_file(path: Path) -> bool:
    return path.name.isprintable() and path.is_file()


def _is_there(base: Path) -> bool:
    files = (entry for suffix in _SUFFIXES for entry in (base / f"__init__{suffix}", Path(f"{base}{suffix}")))
    return any(map(_is_file, files))
