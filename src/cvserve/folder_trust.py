"""Who may say what: a setting from a folder that nobody has trusted is refused where it goes beyond its reach."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cvserve.errors import Unsafe
from cvserve.setting_field import Reach
from cvserve.settings import FIELDS, flag, variable
from cvserve.settings_files import Entries, SettingsFile
from cvserve.values import is_loopback
from cvserve.vouched import is_vouched

_ON_LOOPBACK = (Reach.LOOPBACK, Reach.INSIDE_LOOPBACK)
_INSIDE = (Reach.INSIDE, Reach.INSIDE_LOOPBACK)


@dataclass(frozen=True)
class Claim:
    """A setting of a file that counts only when the user has trusted the file.

    Attributes:
        name: of the setting.
        shown: its value, a secret masked.
        origin: words for the place, such as `CVSERVE_HOST in .env`.
        file: that says it.
        why: what it would do, as it stands in a sentence after the value; may be empty.
    """

    name: str
    shown: str
    origin: str
    file: SettingsFile
    why: str

    @property
    def sentence(self) -> str:
        """What is said, where, and why that is not for any folder to say."""
        return f"{self.name} is '{self.shown}' ({self.origin})" + (f", {self.why}" if self.why else "")

    @cached_property
    def is_trusted(self) -> bool:
        """Whether this user has trusted the file as it is.

        Raises:
            Unsafe: the record of trust cannot be relied on.
        """
        return is_vouched(self.file.folder, self.file.path.name, self.file.sha256)


def find_claims(found: Entries) -> tuple[Claim, ...]:
    """The settings that files set beyond their reach; what a flag or the environment overrides is not among them.

    Args:
        found: what counts of each setting.
    """
    host = str(found["host"].value if "host" in found else FIELDS["host"].default)
    claims = []
    for name, (value, origin, file) in found.items():
        if file is None or value is None or value == FIELDS[name].default:
            continue
        why = _explain(name, value, host, file.folder)
        if why is not None:
            shown = "***" if FIELDS[name].metadata["secret"] else _write(value)
            claims.append(Claim(name, shown, origin, file, why))
    return tuple(claims)


def refuse_claims(claims: Sequence[Claim]) -> None:
    """Refuse what stands in a file that the user has not trusted.

    Raises:
        Unsafe: there is such a setting; the sentence names file, setting and both ways out.
    """
    refused = [claim for claim in claims if not claim.is_trusted]
    if not refused:
        return
    first, name = refused[0], refused[0].name
    own_words = f"{flag(name)} or {variable(name)}" if FIELDS[name].metadata["flag"] else variable(name)
    more = f" (and {len(refused) - 1} more, see cvserve config)" if len(refused) > 1 else ""
    raise Unsafe(
        f"{first.sentence}; a file may say so{more} only when you trust it: "
        f"use {own_words}, or read {first.file.path.name} and run: cvserve config trust"
    )


def _explain(name: str, value: Any, host: str, folder: Path) -> str | None:
    """What a value of a file would do beyond its setting's reach; None when it stays within."""
    reach: Reach = FIELDS[name].metadata["reach"]
    if reach is Reach.TRUSTED:
        return ""
    if reach in _INSIDE and not _is_inside(value, folder):
        return "which leads out of the folder"
    if reach in _ON_LOOPBACK and not is_loopback(host):
        return "which other machines can reach" if name == "host" else f"while host is '{host}'"
    return None


def _is_inside(path: Path, folder: Path) -> bool:
    """Whether a path is in a folder when all links are followed."""
    root = os.path.realpath(folder)
    return os.path.commonpath((root, os.path.realpath(path))) == root


def _write(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
