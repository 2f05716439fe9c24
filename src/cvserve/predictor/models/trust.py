"""The trust check: which files in which code can hide this user vouches for.

The hash of a file is either said by the caller, or recorded in the user's own configuration folder, never in a
project's: a stranger's folder must not be able to vouch for itself. The check is the only protection: once its file is
loaded, the code in it can do all that the user can do.
"""

import fcntl
import getpass
import json
import os
import shlex
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cvserve.errors import Unsafe, UntrustedModel
from cvserve.files import read_once, replace_file, xdg_folder
from cvserve.predictor.models.file import ModelFile
from cvserve.predictor.models.hidden_code import find_names
from cvserve.texts import list_some

_MAX_NAMES_SHOWN = 12
_MAX_STORE_BYTES = 16 * 1024**2


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
    if not file.kind.hides_code or trust or sha256 is not None or is_trusted(file.code_sha256):
        return
    changed = _find_changed(file)
    state = f"{list_some(changed, _MAX_NAMES_SHOWN)} changed since" if changed else "nobody has vouched for it"
    raise UntrustedModel(
        f"'{file.path.name}' is {file.kind.title}, in which code can hide, and {state}: "
        f"SHA-256 {file.code_sha256}, {file.size:,} bytes, imports {_list_names(file)}. "
        f"If you made it, run: cvserve model trust {shlex.quote(str(file.path))} --sha256 {file.code_sha256}",
        file.code_sha256,
    )


def store_path() -> Path:
    """`$XDG_CONFIG_HOME/cvserve/trust.json`, default `~/.config`."""
    return xdg_folder("XDG_CONFIG_HOME", ".config") / "trust.json"


def is_trusted(sha256: str) -> bool:
    """Whether this user recorded the hash.

    Raises:
        Unsafe: others may write to the store, it belongs to somebody else, or it is damaged.
    """
    return sha256 in _read_entries(store_path())


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
    store = store_path()
    entry = {
        "path": os.path.abspath(path),
        "size": size,
        "who": _find_user_name(),
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "note": note,
        **({"parts": dict(parts)} if parts else {}),
    }
    try:
        store.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _lock_folder(store.parent):
            entries = _read_entries(store)
            entries[sha256] = entry
            text = json.dumps(entries, indent=2) + "\n"
            replace_file(store, text.encode("utf-8"), mode=0o600, sync=True)
    except OSError as error:
        text = f"The trust store '{store}' cannot be written: {error.strerror}; check its folder."
        raise Unsafe(text) from None


def _find_changed(file: ModelFile) -> list[str]:
    """Which files differ from what this user last trusted at this path; empty when there was nothing."""
    path = os.path.abspath(file.path)
    known = [entry for entry in _read_entries(store_path()).values() if isinstance(entry, dict)]
    parts = next((entry.get("parts") for entry in reversed(known) if entry.get("path") == path), None)
    if not isinstance(parts, dict):
        return []
    now = describe_parts(file) or {file.path.name: file.sha256}
    return sorted(name for name in {*parts, *now} if parts.get(name) != now.get(name))


def _read_entries(store: Path) -> dict[str, Any]:
    try:
        _check_private(store.parent, store.parent.stat())
        data, status = read_once(store, _MAX_STORE_BYTES, follow=False)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise Unsafe(f"The trust store '{store}' cannot be opened: {error.strerror}; look at it.") from None
    if not stat.S_ISREG(status.st_mode):
        raise Unsafe(f"The trust store '{store}' is not a file; remove it.")
    _check_private(store, status)
    try:
        entries = json.loads(data)
    except (ValueError, RecursionError):
        entries = None
    if not isinstance(entries, dict):
        raise Unsafe(f"The trust store '{store}' is damaged; delete it and trust your models again.")
    return entries


def _check_private(path: Path, status: os.stat_result) -> None:
    if status.st_uid != os.geteuid():
        raise Unsafe(f"The trust store '{path}' belongs to user {status.st_uid}, not to you; remove it.")
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        mode = stat.S_IMODE(status.st_mode)
        raise Unsafe(
            f"Others may write to the trust store '{path}' (mode {mode:04o}); run: chmod go-w {shlex.quote(str(path))}"
        )


@contextmanager
def _lock_folder(folder: Path) -> Iterator[None]:
    """One writer at a time; a file of its own would be left behind."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _find_user_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        # A container may run under a user id without a name.
        return str(os.geteuid())


def _list_names(file: ModelFile) -> str:
    found = find_names(file)
    text = list_some(found.names, _MAX_NAMES_SHOWN) or "nothing that could be read"
    return text if found.complete else f"{text} (it cannot be read to its end: there may be more)"
