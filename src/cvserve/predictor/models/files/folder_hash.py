"""One hash over the files of a folder: with one byte or one name changed it is another."""

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from cvserve.errors import ModelLoadError, Unsafe
from cvserve.files import LeadsOut, describe_read_error, open_inside, refuse_open_to_all

_MOST_FILES, _MAX_BYTES = 2000, 8 * 1024**3
# Written anew by whoever imports from the folder
_PASSED_BY = ("__pycache__",)


def hash_folder(folder: Path) -> str:
    """Hash each file and its name in the folder; hidden ones and what Python compiles are passed by.

    Args:
        folder: that a user names as weights of a class; nothing outside of it is read.

    Returns:
        64 hex digits.

    Raises:
        ModelLoadError: it is empty, has too many files, too many bytes, a pipe or a device, or cannot be read.
        Unsafe: everybody may write to the folder or to a file in it, or one is a link to somewhere else.
    """
    whole = hashlib.sha256()
    total = count = 0
    refuse_open_to_all(folder.stat(), f"the weights '{folder}'", folder)
    for name in sorted(_list_names(folder)):
        digest, size = _hash_file(folder, name, _MAX_BYTES - total)
        total, count = total + size, count + 1
        whole.update(os.fsencode(name) + b"\0" + digest)
    if not count:
        raise ModelLoadError(f"The folder of weights '{folder}' has no files; check the path.")
    return whole.hexdigest()


def _list_names(folder: Path) -> Iterator[str]:
    """Names of files, relative to the folder. What links to a folder is a name as well, and refused when opened."""
    count = 0
    for place, folders, files in os.walk(folder, onerror=_raise):
        links = [name for name in folders if os.path.islink(os.path.join(place, name))]
        folders[:] = [name for name in folders if not name.startswith(".") and name not in _PASSED_BY]
        for name in (*files, *links):
            if name.startswith("."):
                continue
            count += 1
            if count > _MOST_FILES:
                raise ModelLoadError(
                    f"The folder of weights '{folder}' has over {_MOST_FILES:,} files; name a smaller."
                )
            yield os.path.relpath(os.path.join(place, name), folder)


def _hash_file(folder: Path, name: str, max_bytes: int) -> tuple[bytes, int]:
    try:
        descriptor = open_inside(folder, name)
    except LeadsOut as out:
        raise Unsafe(
            f"'{folder / name}' leads out of its folder, to '{out.target}'; put a copy in its place."
        ) from None
    except (OSError, ValueError) as error:
        _raise(error)
    with open(descriptor, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ModelLoadError(f"'{folder / name}' is no regular file; put a copy of what it leads to in its place.")
        refuse_open_to_all(status, f"the weights '{folder / name}'", folder / name)
        if status.st_size > max_bytes:
            raise ModelLoadError(f"The folder of weights '{folder}' has over {_MAX_BYTES:,} bytes; name a smaller one.")
        return hashlib.file_digest(file, "sha256").digest(), status.st_size


def _raise(error: OSError | ValueError) -> NoReturn:
    name = getattr(error, "filename", None)
    raise ModelLoadError(f"The weights '{name}' cannot be read: {describe_read_error(error)}.") from None
