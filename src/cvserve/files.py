"""Reading a file exactly once, so that what was checked is what was read."""

import os
import stat
from pathlib import Path


def read_once(path: Path, max_bytes: int, *, follow: bool = True) -> tuple[bytes, os.stat_result]:
    """What is in a file, and its status at that moment.

    Args:
        path: of a file.
        max_bytes: one byte more is read, so that the caller sees that there is more.
        follow: whether `path` may be a link.

    Returns:
        The data, empty for whatever is not a regular file or is larger than `max_bytes`, and the status that
        tells which.

    Raises:
        OSError: it cannot be opened or read.
        ValueError: the name cannot be one.
    """
    # Without O_NONBLOCK, opening a pipe would wait for somebody to write into it.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    descriptor = os.open(path, flags)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > max_bytes:
            return b"", status
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(max_bytes + 1), status
    finally:
        os.close(descriptor)
