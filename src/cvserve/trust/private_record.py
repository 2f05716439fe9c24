"""A record that this user keeps, as a JSON file in a folder of their own: what others could write is not believed."""

import fcntl
import getpass
import json
import os
import pwd
import shlex
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cvserve.errors import Unsafe
from cvserve.files import is_inside, make_folders, read_once, replace_file, xdg_folder

_MAX_BYTES = 16 * 1024**2
_BELOW_HOME = {"XDG_CONFIG_HOME": ".config", "XDG_STATE_HOME": ".local/state"}


@dataclass(frozen=True)
class PrivateRecord:
    """A JSON object in a file, mode 0600, that only this user may write.

    Attributes:
        variable: that names the base folder, `XDG_CONFIG_HOME` or `XDG_STATE_HOME`.
        name: of the file in the folder `cvserve` there, which is made when something is recorded, and must not be open
            to others either.
        title: what error texts call it, e.g. `The trust store`.
        cure: what to do when it is damaged, e.g. `delete it and trust your models again`.
        apart_from: folders that the record speaks of; one that lies in such a folder may have come with it, and is not
            believed.
    """

    variable: str
    name: str
    title: str
    cure: str
    apart_from: tuple[Path, ...] = ()

    @property
    def path(self) -> Path:
        """Of the file.

        Raises:
            FileNotFoundError: this user has no home folder.
        """
        return xdg_folder(self.variable, _BELOW_HOME[self.variable]) / self.name

    def read(self) -> dict[str, Any]:
        """All entries; none when there is no file.

        Raises:
            Unsafe: others may write to it, it belongs to somebody else, came with a folder, or is damaged.
        """
        try:
            self._check_private(self.path.parent, self.path.parent.stat())
            data, status = read_once(self.path, _MAX_BYTES, follow=False)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise Unsafe(f"{self.title} '{self.path}' cannot be opened: {error.strerror}; look at it.") from None
        if not stat.S_ISREG(status.st_mode):
            raise Unsafe(f"{self.title} '{self.path}' is not a file; remove it.")
        self._check_private(self.path, status)
        self._check_apart()
        try:
            entries = json.loads(data)
        except (ValueError, RecursionError):
            entries = None
        if not isinstance(entries, dict):
            raise Unsafe(f"{self.title} '{self.path}' is damaged; {self.cure}.")
        return entries

    def add(self, key: str, facts: dict[str, Any]) -> None:
        """Write an entry, with who did it and when; one that has the key is replaced.

        Raises:
            Unsafe: others may write to it, it belongs to somebody else, it is damaged or cannot be kept.
        """
        self.add_all({key: facts})

    def add_all(self, facts: Mapping[str, dict[str, Any]]) -> None:
        """Write several entries at once, as `add` does; for none the file is left as it is.

        Raises:
            Unsafe: as `add`.
        """
        if not facts:
            return
        note = {"who": _find_user_name(), "when": datetime.now(UTC).isoformat(timespec="seconds")}
        entries = {key: {**entry, **note} for key, entry in facts.items()}
        try:
            self._check_apart()
            make_folders(self.path.parent)
            with _lock_folder(self.path.parent):
                text = json.dumps({**self.read(), **entries}, indent=2) + "\n"
                replace_file(self.path, text.encode("utf-8"), mode=0o600, sync=True)
        except OSError as error:
            where = f" '{error.filename}'" if error.filename else ""
            raise Unsafe(f"{self.title}{where} cannot be written: {error.strerror}; check its folder.") from None

    def can_be_kept(self) -> bool:
        """Whether something could be recorded: there is a folder for it that may be written to.

        Raises:
            Unsafe: as `read`.
        """
        self.read()
        try:
            self._check_apart()
            place = self.path.parent
        except FileNotFoundError:
            return False
        while not place.exists() and place != place.parent:
            place = place.parent
        return place.is_dir() and os.access(place, os.W_OK | os.X_OK)

    def _check_apart(self) -> None:
        for folder in self.apart_from:
            if is_inside(self.path, folder) and not _is_home(folder):
                raise Unsafe(
                    f"{self.title} '{self.path}' lies in a folder that it would vouch for; set {self.variable} to a "
                    f"folder outside of '{os.path.realpath(folder)}'."
                )

    def _check_private(self, path: Path, status: os.stat_result) -> None:
        if status.st_uid != os.geteuid():
            raise Unsafe(f"{self.title} '{path}' belongs to user {status.st_uid}, not to you; remove it.")
        if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            name = self.title[:1].lower() + self.title[1:]
            mode = stat.S_IMODE(status.st_mode)
            cure = f"chmod go-w {shlex.quote(str(path))}"
            raise Unsafe(f"Others may write to {name} '{path}' (mode {mode:04o}); run: {cure}")


@contextmanager
def _lock_folder(folder: Path) -> Iterator[None]:
    """One writer at a time; a file of its own would be left behind."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _is_home(folder: Path) -> bool:
    """Whether a folder is this user's home by the password database, or above it.

    Who can bring files there owns the account. `HOME` does not tell: a container may set it to the folder that it
    serves.
    """
    root = os.path.realpath(folder)
    try:
        return root == os.sep or is_inside(pwd.getpwuid(os.geteuid()).pw_dir or os.sep, root)
    except KeyError:
        return root == os.sep


def _find_user_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        # A container may run under a user id without a name.
        return str(os.geteuid())
