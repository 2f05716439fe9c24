"""What a pickle needs from the folder that it lies in: modules of its maker, such as `my_transforms.py`.

They are found by the names in the pickle, without running any of it. Names of what is installed are left out: a file
beside a model takes the place of no package.
"""

import importlib.util
import sys
from pathlib import Path

from cvserve.predictor.models.files.imports import ImportedModule, find_imports, is_installed
from cvserve.predictor.models.files.pickle_scan import scan_pickle

_NO_MODULES = ("__main__", "builtins")


def find_pickle_imports(path: Path, data: bytes) -> tuple[ImportedModule, ...]:
    """The modules beside a pickle or joblib file that it needs, and those that these import, by name.

    Args:
        path: of the file.
        data: everything in it.

    Raises:
        OSError: one of them cannot be read.
    """
    if not _has_code_beside(path.absolute().parent):
        return ()  # most models lie alone, and a large one takes a while to look through
    modules = {name.rpartition(".")[0] for name in scan_pickle(data).names}
    own = sorted(name for name in modules if _is_plain(name) and not _is_known(name.partition(".")[0]))
    if not own:
        return ()
    found = find_imports(path, "\n".join(f"import {name}" for name in own).encode("utf-8"))
    return tuple(module for module in found if not _is_known(module.name.partition(".")[0]))


def _has_code_beside(folder: Path) -> bool:
    return any(any(folder.glob(pattern)) for pattern in ("*.py", "*/__init__.py"))


def _is_plain(name: str) -> bool:
    return bool(name) and all(part.isidentifier() for part in name.split("."))


def _is_known(top: str) -> bool:
    """Whether a name is of the standard library or of an installed package."""
    if top in sys.stdlib_module_names or top in _NO_MODULES:
        return True
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):  # a module that is loaded and says nothing of itself
        return False
    places = [] if spec is None else [spec.origin, *(spec.submodule_search_locations or ())]
    return any(is_installed(Path(place)) for place in places if place)
