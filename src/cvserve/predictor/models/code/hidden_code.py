"""What the code in a model file would import, found without running it, for the person who decides about trust."""

import ast
import io
import zipfile

from cvserve.predictor.models.files.file import ModelFile
from cvserve.predictor.models.files.pickle_scan import MAX_UNPACKED_BYTES, PickleGlobals, scan_pickle
from cvserve.predictor.models.formats.kinds import KINDS, PYTHON, TORCHSCRIPT, kind_of

_ZIP_MAGIC = b"PK"
_OF_TORCHSCRIPT = "__torch__."


def find_names(file: ModelFile) -> PickleGlobals:
    """Find the modules that a Python file imports, or `module.name` of all that the pickles in another file would make.

    Raises nothing, whatever is in the file: what cannot be read makes the result incomplete.
    """
    if file.kind is PYTHON:
        return _find_imports(file.data)
    if file.data.startswith(_ZIP_MAGIC):
        return _find_names_in_archive(file.data)
    return scan_pickle(file.data)


def find_foreign_names(file: ModelFile) -> PickleGlobals:
    """The same without the classes that a TorchScript program brings along, one or more for each layer.

    PyTorch makes them from the program's own text, which is no Python; in other files a name like theirs is imported.
    """
    found = find_names(file)
    if file.kind is not TORCHSCRIPT:
        return found
    return found._replace(names=tuple(name for name in found.names if not name.startswith(_OF_TORCHSCRIPT)))


def has_names(file: ModelFile) -> bool:
    """Whether `find_names` can say what is in a file: a plugin's format is a pickle or has some in it, or it cannot."""
    if file.kind in KINDS:
        return True
    if file.data.startswith(_ZIP_MAGIC):
        return bool(find_names(file).names)
    kind = kind_of(file.data)
    return kind is not None and kind.hides_code


def _find_imports(source: bytes) -> PickleGlobals:
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return PickleGlobals((), complete=False)
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {"." * node.level + (node.module or "") for node in nodes if isinstance(node, ast.ImportFrom)}
    return PickleGlobals(tuple(sorted(names)), complete=True)


def _find_names_in_archive(data: bytes) -> PickleGlobals:
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
                found = scan_pickle(archive.read(member))
                names.update(found.names)
                complete = complete and found.complete
    except Exception:  # zipfile raises a dozen kinds on bad bytes
        complete = False
    return PickleGlobals(tuple(sorted(names)), complete)
