"""A model file, read once: what is hashed and what is loaded are the same bytes."""

import hashlib
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from cvserve.errors import InvalidSetting, ModelLoadError
from cvserve.files import describe_read_error, read_once, refuse_open_to_all
from cvserve.predictor.models.fault import ModelFault, about
from cvserve.predictor.models.files.folder_hash import hash_folder
from cvserve.predictor.models.files.imports import MAX_BYTES as MAX_CODE_BYTES
from cvserve.predictor.models.files.imports import ImportedModule, combine_hashes, find_imports
from cvserve.predictor.models.files.pickle_imports import find_pickle_imports
from cvserve.predictor.models.formats.kinds import (
    JOBLIB,
    KINDS,
    PICKLE,
    PYTHON,
    SERVED_SUFFIXES,
    UNKNOWN,
    UNSERVED,
    WEIGHTS_FOLDER,
    Kind,
    kind_of,
    kinds_of_suffix,
)
from cvserve.predictor.models.formats.plugins import find_plugin_kind

MAX_BYTES = 2 * 1024**3
_FIND_IMPORTS = {PYTHON: find_imports, PICKLE: find_pickle_imports, JOBLIB: find_pickle_imports}


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A file as it was at one moment.

    Attributes:
        path: as it was given.
        data: everything in it.
        sha256: hash of `data`, 64 hex digits.
        kind: its format, recognised by `data`.
        owner: user id of the file.
        mode: permission bits, e.g. 0o644.
        imports: modules beside a Python file or a pickle that it imports.
        parts: what else was read for the model, each with its SHA-256: its role or its name in the folder, such as
            `("weights", "9f2c…")` or `("model.onnx.data", "07aa…")`.
    """

    path: Path
    data: bytes
    sha256: str
    kind: Kind
    owner: int
    mode: int
    imports: tuple[ImportedModule, ...] = ()
    parts: tuple[tuple[str, str], ...] = ()

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.data)

    @property
    def code_sha256(self) -> str:
        """What somebody vouches for: the hash of the file and of all that it imports from beside it."""
        return combine_hashes(self.sha256, self.imports)

    def __repr__(self) -> str:
        return f"<ModelFile {self.path.name} {self.kind.key} {self.sha256[:12]} {self.size:,} bytes>"


def read_model_file(path: str | os.PathLike[str], *, max_bytes: int = MAX_BYTES) -> ModelFile:
    """Read a model file whole and tell its format.

    Links are followed (a mounted config map is one), but the file is opened once: what was checked is what is
    read, however the name changes meanwhile.

    Raises:
        ModelLoadError: there is no such file, it is a folder, a pipe, empty, too large, of no known format,
            or of another than its extension says.
        Unsafe: everybody may write to it.
    """
    path = Path(path)
    data, status = _read(path, max_bytes)
    # Source text has no mark of its own; every other format is recognised by its content.
    kind = kind_of(data) or (PYTHON if path.suffix in PYTHON.suffixes else None)
    if kind is None or kind in UNSERVED:
        kind = find_plugin_kind(data, path.name) or kind
    if kind is None:
        raise ModelLoadError(
            f"'{path.name}' ({len(data):,} bytes) is no model file that cvserve knows; save it as {SERVED_SUFFIXES}."
        )
    _check_suffix(path, kind)
    sha256 = hashlib.sha256(data).hexdigest()
    return ModelFile(path, data, sha256, kind, status.st_uid, stat.S_IMODE(status.st_mode))


def read_weights(path: str | os.PathLike[str]) -> ModelFile:
    """Read a file of weights whole; what is in it is for its class to say. Of a folder only the hash is taken.

    Raises:
        ModelLoadError: there is no such file, it is a pipe, empty or too large; or a file in the folder is.
        Unsafe: everybody may write to it, or a file leads out of the folder.
    """
    path = Path(path)
    if path.is_dir():
        status = path.stat()
        return ModelFile(path, b"", hash_folder(path), WEIGHTS_FOLDER, status.st_uid, stat.S_IMODE(status.st_mode))
    data, status = _read(path, MAX_BYTES)
    kind = kind_of(data) or UNKNOWN
    return ModelFile(path, data, hashlib.sha256(data).hexdigest(), kind, status.st_uid, stat.S_IMODE(status.st_mode))


def with_parts(file: ModelFile, parts: Iterable[tuple[str, str]]) -> ModelFile:
    """A file with more that was read for its model: each counts for the version, none for trust in the file.

    Args:
        file: the model's.
        parts: pairs of a role, or a name in the folder, and a SHA-256 in 64 hex digits.
    """
    return replace(file, parts=(*file.parts, *parts))


def with_weights(file: ModelFile, weights: ModelFile) -> ModelFile:
    """A file with its weights as one of its parts: with other weights it is another model."""
    return with_parts(file, [("weights", weights.sha256)])


def with_imports(file: ModelFile) -> ModelFile:
    """A Python file or a pickle with the modules beside it that it imports: who trusts it trusts these, as they are.

    Raises:
        ModelLoadError: one of them cannot be read, or is too large to be code.
        Unsafe: everybody may write to one of them.
    """
    find = _FIND_IMPORTS.get(file.kind)
    if find is None:
        return file
    if file.kind is PYTHON and file.size > MAX_CODE_BYTES:
        raise _too_large(file.path, file.size, MAX_CODE_BYTES)
    try:
        modules = find(file.path, file.data)
        for module in modules:
            _check_status(module.path, module.path.stat(), MAX_CODE_BYTES, may_be_empty=True)
    except OSError as error:
        raise ModelLoadError(
            f"'{file.path.name}' imports '{error.filename}', which cannot be read: {describe_read_error(error)}."
        ) from None
    return replace(file, imports=modules)


def check_sha256(file: ModelFile, sha256: str) -> None:
    """Refuse a file whose hash is another than the one given.

    Raises:
        InvalidSetting: `sha256` is no SHA-256.
        ModelLoadError: the file has another one.
    """
    with about(file):
        compare_sha256(file.code_sha256, sha256)


def compare_sha256(found: str, sha256: str) -> None:
    """Refuse a model whose hash is another than the one given.

    Args:
        found: hash of the model, 64 hex digits in lower case.
        sha256: the one given, as somebody wrote it.

    Raises:
        InvalidSetting: `sha256` is no SHA-256.
        ModelFault: the model has another one.
    """
    wanted = sha256.strip().lower()
    if len(wanted) != 64 or wanted.strip("0123456789abcdef"):
        raise InvalidSetting(f"'{sha256}' is no SHA-256; give the 64 hex digits that `sha256sum` prints.")
    if wanted != found:
        raise ModelFault(f"has the SHA-256 {found}, not {wanted}: it was changed, or the hash is of another file.")


def _read(path: Path, max_bytes: int) -> tuple[bytes, os.stat_result]:
    try:
        data, status = read_once(path, max_bytes)
    except FileNotFoundError:
        raise ModelLoadError(f"There is no model file '{path}'; check the path.") from None
    except (OSError, ValueError) as error:
        raise ModelLoadError(f"The model file '{path}' cannot be read: {describe_read_error(error)}.") from None
    _check_status(path, status, max_bytes)
    if len(data) > max_bytes:
        raise _too_large(path, len(data), max_bytes)
    return data, status


def _check_status(path: Path, status: os.stat_result, max_bytes: int, *, may_be_empty: bool = False) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise ModelLoadError(f"'{path}' is a folder; name the model file in it, {SERVED_SUFFIXES}.")
    if not stat.S_ISREG(status.st_mode):
        raise ModelLoadError(f"'{path}' is a pipe or a device, not a file; give the path of a model file.")
    refuse_open_to_all(status, f"the model '{path}'", path)
    if status.st_size == 0 and not may_be_empty:
        raise ModelLoadError(f"The model file '{path}' is empty (0 bytes); save or copy it again.")
    if status.st_size > max_bytes:
        raise _too_large(path, status.st_size, max_bytes)


def _too_large(path: Path, size: int, max_bytes: int) -> ModelLoadError:
    return ModelLoadError(f"The model file '{path}' has {size:,} bytes; at most {max_bytes:,} are read.")


def _check_suffix(path: Path, kind: Kind) -> None:
    promised = kinds_of_suffix(path.suffix)
    if kind not in KINDS and set(promised) <= set(UNSERVED):
        return  # a plugin may bring a format that cvserve knows by name only
    if promised and kind not in promised:
        raise ModelLoadError(
            f"Format mismatch: '{path.name}' is called {promised[0].title} but is {kind.title}; "
            "check where it came from, and rename it only if you know why."
        )
