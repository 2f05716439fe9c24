"""What this user vouches for in folders that may be a stranger's: files by their hash, kept where no folder writes."""

import os
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

from cvserve.trust.private_record import PrivateRecord


def is_vouched(folder: Path, name: str | PurePath, sha256: str) -> bool:
    """Whether this user vouches for what a file in a folder says now.

    Args:
        folder: of the file; the same one by another spelling is the same one.
        name: of the file in it; for a link its own name, not that of its target.
        sha256: of the bytes that were read, 64 hex digits.

    Raises:
        Unsafe: the record of it cannot be relied on.
    """
    return find_targets(folder, name, sha256) is not None


def find_targets(folder: Path, name: str | PurePath, sha256: str) -> Mapping[str, Any] | None:
    """Where the paths in a file led when this user vouched for it; None when they do not vouch for it.

    Args:
        folder: as for `is_vouched`, and so are the others.
        name: of the file.
        sha256: of its bytes.

    Returns:
        What `vouch` was given as `targets`.

    Raises:
        Unsafe: the record of it cannot be relied on.
    """
    entry = _record(folder).read().get(_key(folder, name))
    if not isinstance(entry, dict) or entry.get("sha256") != sha256:
        return None
    targets = entry.get("targets")
    return targets if isinstance(targets, dict) else {}


def vouch(folder: Path, name: str | PurePath, sha256: str, note: str, targets: Mapping[str, str] | None = None) -> None:
    """Remember that this user vouches for a file in a folder, as long as it has this hash.

    Args:
        folder: of the file.
        name: of the file in it.
        sha256: 64 hex digits.
        note: for people who read the record: how it came about.
        targets: by setting, where each path in it leads that leaves the folder.

    Raises:
        Unsafe: the record of it cannot be relied on, or not be written.
    """
    facts = {"sha256": sha256, "note": note, **({"targets": dict(targets)} if targets else {})}
    _record(folder).add(_key(folder, name), facts)


def _key(folder: Path, name: str | PurePath) -> str:
    return os.path.join(os.path.realpath(folder), os.fspath(name))


def _record(folder: Path) -> PrivateRecord:
    # Beside trust.json, whose keys are hashes of models and nothing else: an older cvserve reads it, too.
    return PrivateRecord(
        "XDG_CONFIG_HOME",
        "trusted_folders.json",
        "The record of trusted folders",
        "delete it and run cvserve config trust again",
        apart_from=(folder,),
    )
