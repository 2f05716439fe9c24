"""Texts beside a model: no link in a stranger's folder makes a server answer with the lines of a file of the user's."""

import hashlib
import os
import shlex
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePath

from cvserve.errors import ModelLoadError, Unsafe
from cvserve.files import LeadsOut, describe_read_error, read_inside, read_once
from cvserve.trust.vouched import is_vouched

_MAX_BYTES = 16 * 1024**2
# Of `model.toml`: the reader of TOML needs a second for so much.
_MAX_CONFIG_BYTES = 1024**2
# Folder, name in it, and SHA-256 of what is there -> whether the user vouches for it.
IsVouched = Callable[[Path, str | PurePath, str], bool]


@dataclass(frozen=True, slots=True)
class ConfigFiles:
    """Reads what says something of one model.

    What is read ends up in answers, and whoever names a model has not read its folder. So a file in that folder must
    be in it when all links are followed, unless the user vouches for what is there: a link is all it takes to point
    at a private key. A config that somebody names is theirs to point anywhere.

    Attributes:
        model: path of the model.
        config: that is read instead of the one beside the model; None: the one beside it.
        is_vouched: asked about what a link out of the folder leads to.
        named: what a user calls the model; None: by its path.
    """

    model: Path
    config: Path | None = None
    is_vouched: IsVouched = is_vouched
    named: str | None = None

    def read_config(self) -> str | None:
        """The text of `model.toml`; None when there is none."""
        if self.config is not None:
            return _read_text(self.config, lambda: read_once(self.config or Path(), _MAX_BYTES), _MAX_CONFIG_BYTES)
        return self.read(self.model.parent, self.model.with_suffix(".toml").name, _MAX_CONFIG_BYTES)

    def read(self, folder: Path, name: str | PurePath, max_bytes: int = _MAX_BYTES) -> str | None:
        """The text of a file in a folder; None when there is no file.

        Args:
            folder: that it must be in.
            name: of the file, relative to the folder.
            max_bytes: at most 16 MiB, which is the default.

        Raises:
            ModelLoadError: it cannot be read, is no regular file, too large, or no UTF-8 text.
            Unsafe: it is not in the folder, and the user does not vouch for it.
        """
        return _read_text(folder / name, lambda: self._read_here(folder, name), max_bytes)

    def _read_here(self, folder: Path, name: str | PurePath) -> tuple[bytes, os.stat_result]:
        try:
            return read_inside(folder, name, _MAX_BYTES)
        except LeadsOut as out:
            data, status = read_once(out.target, _MAX_BYTES, follow=False)
            if self.is_vouched(folder, name, hashlib.sha256(data).hexdigest()):
                return data, status
            raise Unsafe(
                f"'{name}' leads out of its folder, to '{out.target}', and what it says would stand in answers; put a "
                f"copy in its place, or if the link is yours, run: {self._write_command()}"
            ) from None

    def _write_command(self) -> str:
        config = [] if self.config is None else ["--model-config", str(self.config)]
        return shlex.join(["cvserve", "config", "trust", "--model", self.named or str(self.model), *config])


def _read_text(path: Path, read: Callable[[], tuple[bytes, os.stat_result]], max_bytes: int) -> str | None:
    try:
        data, status = read()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ModelLoadError(f"'{path}' cannot be read: {describe_read_error(error)}.") from None
    if not stat.S_ISREG(status.st_mode):
        raise ModelLoadError(f"'{path}' is a folder, a pipe or a device; give the path of a text file.")
    if status.st_size > max_bytes:
        raise ModelLoadError(f"'{path}' is larger than {max_bytes:,} bytes; that is no {path.name}.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ModelLoadError(f"'{path}' is not UTF-8 text; save it as UTF-8.") from None
