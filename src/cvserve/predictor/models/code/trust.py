"""The trust check: which files in which code can hide this user vouches for.

The hash of a file is either said by the caller, or recorded in the user's own configuration folder, never in a
project's: a stranger's folder must not be able to vouch for itself. The check is the only protection: once its file is
loaded, the code in it can do all that the user can do.
"""

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from cvserve.errors import UntrustedModel
from cvserve.files import is_inside
from cvserve.predictor.models.code.hidden_code import find_foreign_names, has_names
from cvserve.predictor.models.files.file import ModelFile
from cvserve.settings_files import FILE_NAMES
from cvserve.texts import list_some
from cvserve.trust.private_record import PrivateRecord

_MAX_NAMES_SHOWN = 12


def require_trust(file: ModelFile, *, trust: bool, sha256: str | None) -> None:
    """Refuse a file in which code can hide unless somebody vouches for it.

    Args:
        file: as it was read; that it has the hash `sha256` is checked already.
        trust: whether the caller vouches for it.
        sha256: the hash that the caller gave; who knows it vouches for the file.

    Raises:
        UntrustedModel: nobody does; the sentence names hash, imports, and the command that trusts it.
        Unsafe: the record of trust cannot be relied on.
    """
    if not file.kind.hides_code or trust or sha256 is not None or is_trusted(file.code_sha256, file.path):
        return
    changed = _find_changed(file)
    state = f"{list_some(changed, _MAX_NAMES_SHOWN)} changed since" if changed else "nobody has vouched for it"
    raise UntrustedModel(
        f"'{file.path.name}' is {file.kind.title}, in which code can hide, and {state}: "
        f"SHA-256 {file.code_sha256}, {file.size:,} bytes{_list_names(file)}. "
        f"If you made it, run: cvserve model trust {shlex.quote(str(file.path))} --sha256 {file.code_sha256}",
        file.code_sha256,
        str(file.path),
    )


def is_trusted(sha256: str, path: Path | None = None) -> bool:
    """Whether this user recorded the hash.

    Args:
        sha256: 64 hex digits.
        path: of the model; a record that lies in its folder, or in the folder whose settings name it, may have come
            with it. None: only the hash is asked about.

    Raises:
        Unsafe: others may write to the store, it belongs to somebody else, came with the model, or is damaged.
    """
    return sha256 in _record(path).read()


def describe_parts(file: ModelFile) -> dict[str, str]:
    """Hash of each file that the hash of a model is made of; empty for one that is a single file."""
    if not file.imports:
        return {}
    return {file.path.name: file.sha256, **{module.name: module.sha256 for module in file.imports}}


def record(
    sha256: str, path: str | os.PathLike[str], size: int, note: str = "", parts: Mapping[str, str] | None = None
) -> None:
    """Remember that this user vouches for a hash. Path, size and note are for people who read `trust.json`.

    Args:
        sha256: 64 hex digits.
        path: where the file was.
        size: of the file, in bytes.
        note: how it came about, e.g. `asked on a terminal`.
        parts: of `describe_parts`, to say later which file has changed.

    Raises:
        Unsafe: others may write to the store, it belongs to somebody else, it is damaged or cannot be written.
    """
    facts = {"path": os.path.abspath(path), "size": size, "note": note, **({"parts": dict(parts)} if parts else {})}
    _record(Path(path)).add(sha256, facts)


def _find_changed(file: ModelFile) -> list[str]:
    """Which files differ from what this user last trusted at this path; empty when there was nothing."""
    path = os.path.abspath(file.path)
    known = [entry for entry in _record(file.path).read().values() if isinstance(entry, dict)]
    parts = next((entry.get("parts") for entry in reversed(known) if entry.get("path") == path), None)
    if not isinstance(parts, dict):
        return []
    now = describe_parts(file) or {file.path.name: file.sha256}
    return sorted(name for name in {*parts, *now} if parts.get(name) != now.get(name))


def _record(model: Path | None) -> PrivateRecord:
    cure = "delete it and trust your models again"
    folders = () if model is None else (model.parent, *_find_project(model))
    return PrivateRecord("XDG_CONFIG_HOME", "trust.json", "The trust store", cure, apart_from=folders)


def _find_project(model: Path) -> tuple[Path, ...]:
    """The working folder, if it has settings of its own and the model is in it: all of it may be one stranger's."""
    here = Path.cwd()
    has_settings = any((here / name).exists() for name in FILE_NAMES)
    return (here,) if has_settings and is_inside(model, here) else ()


def _list_names(file: ModelFile) -> str:
    """What the sentence says of imports; nothing for a format in which they cannot be seen."""
    if not has_names(file):
        return ""
    found = find_foreign_names(file)
    text = list_some(found.names, _MAX_NAMES_SHOWN) or "nothing that could be read"
    return f", imports {text}" + ("" if found.complete else " (it cannot be read to its end: there may be more)")
