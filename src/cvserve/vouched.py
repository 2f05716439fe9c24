"""What this user vouches for in folders that may be a stranger's: files by their hash, kept where no folder writes."""

import os
from pathlib import Path, PurePath

from cvserve.files import xdg_folder
from cvserve.private_record import PrivateRecord


def is_vouched(folder: Path, name: str | PurePath, sha256: str) -> bool:
    """Whether this user vouches for what a file in a folder says now.

    Args:
        folder: of the file; the same one by another spelling is the same one.
        name: of the file in it; for a link its own name, not that of its target.
        sha256: of the bytes that were read, 64 hex digits.

    Raises:
        Unsafe: the record of it cannot be relied on.
    """
    entry = _record().read().get(_key(folder, name))
    return isinstance(entry, dict) and entry.get("sha256") == sha256


def vouch(folder: Path, name: str | PurePath, sha256: str, note: str) -> None:
    """Remember that this user vouches for a file in a folder, as long as it has this hash.

    Args:
        folder: of the file.
        name: of the file in it.
        sha256: 64 hex digits.
        note: for people who read the record: how it came about.

    Raises:
        Unsafe: the record of it cannot be relied on, or not be written.
    """
    _record().add(_key(folder, name), {"sha256": sha256, "note": note})


def _key(folder: Path, name: str | PurePath) -> str:
    return os.path.join(os.path.realpath(folder), os.fspath(name))


def _record() -> PrivateRecord:
    # Beside trust.json, whose keys are hashes of models and nothing else: an older cvserve reads it, too.
    path = xdg_folder("XDG_CONFIG_HOME", ".config") / "trusted_folders.json"
    return PrivateRecord(path, "The record of trusted folders", "delete it and run cvserve config trust again")
