"""What the code in a model file would import, told without running it, for the person who decides about trust."""

import ast
import io
import zipfile

from cvserve.predictor.models.file import ModelFile
from cvserve.predictor.models.kinds import PYTHON
from cvserve.predictor.models.pickle_scan import MAX_UNPACKED_BYTES, PickleGlobals, pickle_globals

_ZIP_MAGIC = b"PK"


def names_in(file: ModelFile) -> PickleGlobals:
    """Modules that a Python file imports; `module.name` of what the pickles in any other file make."""
    if file.kind is PYTHON:
        return _imports(file.data)
    if file.data.startswith(_ZIP_MAGIC):
        return _names_in_archive(file.data)
    return pickle_globals(file.data)


def _imports(source: bytes) -> PickleGlobals:
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return PickleGlobals((), complete=False)
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {"." * node.level + (node.module or "") for node in nodes if isinstance(node, ast.ImportFrom)}
    return PickleGlobals(tuple(sorted(names)), complete=True)


def _names_in_archive(data: bytes) -> PickleGlobals:
    names: set[str] = set()
    complete = True
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for member in archive.infolist():
                if not member.filename.endswith(".pkl"):
                    continue
                if member.file_size > MAX_UNPACKED_BYTES:
                    complete = False
                    continue
                found = pickle_globals(archive.read(member))
                names.update(found.names)
                complete = complete and found.complete
    except Exception:  # zipfile raises a dozen kinds on bad bytes
        complete = False
    return PickleGlobals(tuple(sorted(names)), complete)
