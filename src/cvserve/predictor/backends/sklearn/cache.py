"""What was computed once and can be computed again: files in the user's own cache folder, each with its hash.

Nothing in it is believed because it is there: a file of somebody else, one that others may write to, or one that is
not what was written is treated as if there were none.
"""

import hashlib
import os
import stat
from pathlib import Path

from cvserve.files import read_once, replace_file, xdg_folder

MAX_BYTES = 1024**3


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME/cvserve`, default `~/.cache/cvserve`.

    Raises:
        FileNotFoundError: this user has no home folder.
    """
    return xdg_folder("XDG_CACHE_HOME", ".cache")


def read_cached(name: str) -> bytes | None:
    """What `write_cached` was given under this name, or None."""
    try:
        path = cache_folder() / name
        if not _is_private(path.parent.lstat(), stat.S_IFDIR):
            return None
        data, status = read_once(path, MAX_BYTES, follow=False)
    except (OSError, ValueError):
        return None
    head, _, payload = data.partition(b"\n")
    is_whole = head.decode("latin-1") == hashlib.sha256(payload).hexdigest()
    return payload if _is_private(status, stat.S_IFREG) and is_whole else None


def write_cached(name: str, payload: bytes) -> bool:
    """Keep it, whole or not at all; whether that was possible. A home that cannot be written to is no error."""
    try:
        folder = cache_folder()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _is_private(folder.lstat(), stat.S_IFDIR):
            return False
        replace_file(folder / name, hashlib.sha256(payload).hexdigest().encode("ascii") + b"\n" + payload, mode=0o600)
    except OSError:
        return False
    return True


def _is_private(status: os.stat_result, kind: int) -> bool:
    others_may_write = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return stat.S_IFMT(status.st_mode) == kind and status.st_uid == os.geteuid() and not others_may_write
