"""Files read exactly once, replaced whole or not at all, and the user's own folders for them."""

import contextlib
import ctypes
import errno
import os
import shlex
import stat
import struct
from pathlib import Path

from cvserve.errors import Unsafe

# Without O_NONBLOCK, opening a pipe would wait for somebody to write into it.
_READ_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# Of linux/stat.h and linux/fcntl.h.
_STATX_BTIME = 0x800
_STATX_BYTES = 256
_AT_FDCWD = -100
_AT_SYMLINK_NOFOLLOW = 0x100


class LeadsOut(OSError):
    """Raised for a name that leads out of its folder: it is a link, or there is one on its way.

    Attributes:
        target: where it leads.
    """

    def __init__(self, target: str) -> None:
        super().__init__(errno.EXDEV, os.strerror(errno.EXDEV), target)
        self.target = Path(target)


def read_once(path: Path, max_bytes: int, *, follow: bool = True) -> tuple[bytes, os.stat_result]:
    """Read a file and its status in one go, so that what was checked is what was read.

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
    return _read_descriptor(os.open(path, _READ_FLAGS | (0 if follow else os.O_NOFOLLOW)), max_bytes)


def read_inside(folder: Path, name: str | os.PathLike[str], max_bytes: int) -> tuple[bytes, os.stat_result]:
    """Read a file as `read_once` does, but only if it is in the folder when all links are followed.

    Links from one place in the folder to another are followed; a mounted config map is made of them.

    Args:
        folder: that must not be left; it may itself be reached through links.
        name: of the file, relative to the folder.
        max_bytes: as for `read_once`.

    Raises:
        LeadsOut: it is not in the folder.
        OSError: it cannot be opened or read.
        ValueError: the name cannot be one.
    """
    return _read_descriptor(open_inside(folder, name), max_bytes)


def open_inside(folder: Path, name: str | os.PathLike[str]) -> int:
    """Open for reading what is in a folder when all links are followed.

    Returns:
        The descriptor of whatever it is, for the caller to look at and to close.

    Raises:
        LeadsOut: it is not in the folder.
        OSError: it cannot be opened.
        ValueError: the name cannot be one.
    """
    root = os.path.realpath(folder)
    target = os.path.realpath(os.path.join(root, name))
    if os.path.commonpath((root, target)) != root:
        raise LeadsOut(target)
    # Step by step without links: what was just resolved may be something else by now.
    *folders, last = os.path.relpath(target, root).split(os.sep)
    place = os.open(root, _FOLDER_FLAGS)
    try:
        for part in folders:
            inner = os.open(part, _FOLDER_FLAGS | os.O_NOFOLLOW, dir_fd=place)
            os.close(place)
            place = inner
        return os.open(last, _READ_FLAGS | os.O_NOFOLLOW, dir_fd=place)
    finally:
        os.close(place)


def _read_descriptor(descriptor: int, max_bytes: int) -> tuple[bytes, os.stat_result]:
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > max_bytes:
            return b"", status
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(max_bytes + 1), status
    finally:
        os.close(descriptor)


def others_may_read(status: os.stat_result) -> bool:
    """Whether a file that holds a secret is open to others, so that its owner should close it.

    A file of root that another user was given to read (a secret that was mounted into a container, mode 0444) is as
    root wants it.
    """
    is_mounted = status.st_uid == 0 and os.geteuid() != 0
    return bool(status.st_mode & 0o077) and not is_mounted


def refuse_open_to_all(status: os.stat_result, what: str, path: Path) -> None:
    """Refuse a file or folder that any user of this machine may replace.

    Args:
        status: of what was opened.
        what: it is, as the sentence calls it: "the weights 'best.pth'".
        path: to it, for the command that closes it.

    Raises:
        Unsafe: everybody may write to it.
    """
    if status.st_mode & stat.S_IWOTH:
        mode = stat.S_IMODE(status.st_mode)
        raise Unsafe(f"Everybody may replace {what} (mode {mode:04o}); run: chmod o-w {shlex.quote(str(path))}")


def find_birth_s(path: Path) -> float | None:
    """When the kernel made a file, in seconds since 1970, by its clock; None where it does not tell.

    Unlike the other times of a file nobody can set this one. Linux tells it by statx(2), which Python's `os.stat` does
    not ask.
    """
    try:
        birth_s: float | None = getattr(os.lstat(path), "st_birthtime", None)
        if birth_s is not None:
            return birth_s
        answer = ctypes.create_string_buffer(_STATX_BYTES)
        statx = ctypes.CDLL(None).statx
        if statx(_AT_FDCWD, os.fsencode(path), _AT_SYMLINK_NOFOLLOW, _STATX_BTIME, answer) != 0:
            return None
    except (OSError, AttributeError):
        return None
    (mask,), (seconds, nanoseconds) = struct.unpack_from("I", answer, 0), struct.unpack_from("qI", answer, 80)
    return seconds + nanoseconds / 1e9 if mask & _STATX_BTIME else None


def describe_read_error(error: OSError | ValueError) -> str:
    """Say in a few words why `read_once` failed, e.g. `Permission denied`; never the library's whole text."""
    return getattr(error, "strerror", None) or "not a usable name"


def replace_file(path: Path, data: bytes, *, mode: int = 0o666, sync: bool = False) -> None:
    """Write a file whole or not at all: readers find the old one or the new one, never half of it.

    The data goes to a draft in the same folder, which then takes the file's place and leaves nothing behind when
    that fails. A link is replaced, not followed.

    Args:
        path: of the file, whether it is there or not; its folder must be there.
        data: all that will be in it.
        mode: of the new file, less what the process's umask forbids: 0o600 for what nobody else may read.
        sync: wait until the data is on the disk, so that it is also there after a power cut.

    Raises:
        OSError: the folder or the disk does not take it; the old file is as it was.
    """
    draft = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            if sync:
                os.fsync(descriptor)
        draft.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise


def make_folders(path: Path) -> None:
    """Make a folder and those above it, as far as they are missing, each for this user alone (mode 0700).

    Raises:
        FileExistsError: there is a file of that name, or of one above it.
        OSError: one cannot be made.
    """
    if path.is_dir():
        return
    if path.parent != path:
        make_folders(path.parent)
    # `mkdir(parents=True)` gives its mode to the last one only.
    path.mkdir(mode=0o700, exist_ok=True)


def is_inside(path: str | os.PathLike[str], folder: str | os.PathLike[str]) -> bool:
    """Whether a path is in a folder, or is the folder, when all links are followed; neither need be there."""
    root = os.path.realpath(folder)
    return os.path.commonpath((root, os.path.realpath(path))) == root


def xdg_folder(variable: str, default: str) -> Path:
    """Where this user's files of one sort belong, by the XDG base directory specification.

    Args:
        variable: that names the base folder, e.g. `XDG_CACHE_HOME`; a relative path in it counts as unset, as
            the specification says.
        default: the base folder when it is unset, below the home folder, e.g. `.cache`.

    Returns:
        The folder `cvserve` in it, which need not be there yet.

    Raises:
        FileNotFoundError: this user has no home folder; a folder of that name in the working folder is nobody's.
    """
    base = os.environ.get(variable, "")
    if not os.path.isabs(base):
        home = os.path.expanduser("~")
        if not os.path.isabs(home):
            raise FileNotFoundError(errno.ENOENT, f"there is no home folder; set HOME or {variable}")
        base = os.path.join(home, default)
    return Path(base, "cvserve")
