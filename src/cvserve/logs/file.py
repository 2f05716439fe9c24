"""A log file that loses no line and writes none by halves: lines wait in memory while the disk is full.

loguru's file sink drops a line that cannot be written and may leave half of it in its buffer.
"""

import errno
import os
import re
import stat
import time
from collections import deque
from datetime import UTC, datetime
from pathlib import Path

from cvserve.errors import CannotStart, Unsafe

ROTATE_BYTES = 100 * 1000**2
_MAX_WAITING_LINES = 10_000
_LINES_A_WRITE = 64
_BYTES_A_WRITE = 64 * 1024
_CHECK_INTERVAL_S = 0.5
# The disk is full, broken or read-only, which may pass: the line is kept and tried again.
_TRANSIENT_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG, errno.EROFS)


class LogFile:
    """Appends lines to a file that only this process writes.

    A file that somebody renames or removes, as logrotate does, is made anew within half a second.

    Args:
        path: the file; made with mode 0640 if there is none.
        rotate_bytes: a file that has grown to this size is renamed to `output.<time>.log`.
        keep: rotated files to keep; None keeps all.

    Raises:
        Unsafe: something else than a regular file of ours is there.
        CannotStart: it cannot be written.
    """

    def __init__(self, path: Path, *, rotate_bytes: int = ROTATE_BYTES, keep: int | None = None) -> None:
        self._path = path
        self._rotate_bytes = rotate_bytes
        self._keep = keep
        self._waiting: deque[bytes] = deque(maxlen=_MAX_WAITING_LINES)
        self._checked_at = 0.0
        self.lines_lost = 0
        self._open()

    @property
    def lines_waiting(self) -> int:
        """Number of lines that could not be written yet."""
        return len(self._waiting)

    def write_lines(self, text: str) -> None:
        """Append one line or several, each with its line break. What cannot be written waits for the next call."""
        data = text.encode("utf-8", "backslashreplace")
        self._reopen_if_moved()
        at_once = not self._waiting and len(data) <= _BYTES_A_WRITE
        if at_once and self._append(data):
            return
        lines = data.splitlines(keepends=True)
        self.lines_lost += max(0, len(self._waiting) + len(lines) - _MAX_WAITING_LINES)
        self._waiting.extend(lines)
        if not at_once:  # else the disk has just refused them
            self._write_waiting()

    def reopen(self) -> None:
        """Open the file anew, as somebody who has renamed or removed it says by a signal; one that is there goes on."""
        self._checked_at = time.monotonic()
        self._reopen()

    def close(self) -> None:
        """Write what waits and close the file."""
        self._write_waiting()
        os.close(self._descriptor)

    def _write_waiting(self) -> None:
        while self._waiting:
            group = [self._waiting.popleft() for _ in range(min(len(self._waiting), _LINES_A_WRITE))]
            if not self._append(b"".join(group)):
                self._waiting.extendleft(reversed(group))
                return

    def _append(self, lines: bytes) -> bool:
        if self._size_bytes and self._size_bytes + len(lines) > self._rotate_bytes:
            self._rotate()
        try:
            written = os.write(self._descriptor, lines)
        except OSError as error:
            if error.errno in _TRANSIENT_ERRORS:
                return False
            raise
        if written < len(lines):
            # Half a line is worse than a late one. Nobody else appends, so the file ends with our half.
            os.ftruncate(self._descriptor, os.fstat(self._descriptor).st_size - written)
            return False
        self._size_bytes += written
        return True

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        try:
            self._descriptor = os.open(self._path, flags, 0o640)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
                raise Unsafe(f"'{self._path.name}' is a link, a pipe or a folder; move it away.") from None
            raise CannotStart(
                f"'{self._path.name}' cannot be written: {error.strerror}; choose another folder (--home)."
            ) from None
        status = os.fstat(self._descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
            os.close(self._descriptor)
            raise Unsafe(f"'{self._path.name}' is a link, a pipe or a device; move it away.")
        self._identity = (status.st_dev, status.st_ino)
        self._size_bytes = status.st_size
        self._end_torn_line()

    def _end_torn_line(self) -> None:
        """End the half of a line that a power cut may have left, so that the next line begins on its own."""
        if self._size_bytes:
            with self._path.open("rb") as file:
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    self._waiting.appendleft(b"\n")

    def _reopen_if_moved(self) -> None:
        """Open the file anew when somebody has removed or renamed it; checked twice a second."""
        now = time.monotonic()
        if now - self._checked_at < _CHECK_INTERVAL_S:
            return
        self._checked_at = now
        try:
            status = os.stat(self._path, follow_symlinks=False)
        except OSError:
            self._reopen()
            return
        if (status.st_dev, status.st_ino) != self._identity:
            self._reopen()
        else:
            self._size_bytes = status.st_size  # `copytruncate` makes it smaller under our hands

    def _reopen(self) -> None:
        old = self._descriptor
        try:
            self._open()
        except (CannotStart, Unsafe, OSError):
            self._descriptor = old  # go on with the old file
            return
        os.close(old)

    def _rotate(self) -> None:
        stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%S-%f")
        try:
            os.rename(self._path, self._path.with_name(f"{self._path.stem}.{stamp}{self._path.suffix}"))
        except OSError:
            return  # the folder was taken away, or is read-only: the file grows until it can be renamed
        self._reopen()
        if self._keep is not None:
            # Any other is somebody's, such as `output.kept-for-the-audit.log`.
            any_stamp = re.sub("[0-9]", "[0-9]", stamp)
            rotated = sorted(self._path.parent.glob(f"{self._path.stem}.{any_stamp}{self._path.suffix}"))
            for old in rotated[: max(0, len(rotated) - self._keep)]:
                old.unlink(missing_ok=True)
