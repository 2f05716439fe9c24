"""Who may say what: a setting from a folder that nobody has trusted is refused where it goes beyond its reach."""

import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cvserve.errors import Unsafe
from cvserve.files import is_inside
from cvserve.setting_field import Reach
from cvserve.settings import FIELDS, flag, variable
from cvserve.settings_files import Entries, SettingsFile
from cvserve.texts import format_value, list_some
from cvserve.trust.vouched import find_targets, vouch
from cvserve.values import is_loopback

_ON_LOOPBACK = (Reach.LOOPBACK, Reach.INSIDE_LOOPBACK)
_INSIDE = (Reach.INSIDE, Reach.INSIDE_LOOPBACK)
_MAX_NAMES_SHOWN = 5
# Who may come in, and how: only what listens reads them, and nothing else is refused for their sake.
_OF_SERVERS = frozenset(
    {"host", "token", "token_file", "no_auth", "allowed_hosts", "public_health", "forwarded_allow_ips"}
    | {"ssl_certfile", "ssl_keyfile", "cors_origin"}
)
# What a command reads that answers in its own process; `home` comes to it where it keeps a history.
OF_MODELS = frozenset(FIELDS) - _OF_SERVERS - {"home"}


@dataclass(frozen=True)
class Claim:
    """A setting of a file that counts only when the user has trusted the file.

    Attributes:
        name: of the setting.
        shown: its value, a secret masked.
        origin: words for the place, such as `CVSERVE_HOST in .env`.
        file: that says it.
        why: what it would do, as it stands in a sentence after the value; may be empty.
        target: for a path out of the folder, where it leads now, all links followed; None for what is no path.
    """

    name: str
    shown: str
    origin: str
    file: SettingsFile
    why: str
    target: str | None = None

    @property
    def sentence(self) -> str:
        """What is said, where, and why that is not for any folder to say."""
        return f"{self.name} is '{self.shown}' ({self.origin})" + (f", {self.why}" if self.why else "")

    @cached_property
    def is_trusted(self) -> bool:
        """Whether this user has trusted the file as it is, and a path while it led where it leads now.

        Raises:
            Unsafe: the record of trust cannot be relied on.
        """
        targets = find_targets(self.file.folder, self.file.path.name, self.file.sha256)
        return targets is not None and (self.target is None or targets.get(self.name) == self.target)


def find_claims(found: Entries) -> tuple[Claim, ...]:
    """The settings that files set beyond their reach; what a flag or the environment overrides is not among them.

    Args:
        found: what counts of each setting.
    """
    return tuple(_list_claims(found, _find_host(found), foresees=False))


def foresee_claims(files: Iterable[Entries], found: Entries) -> tuple[Claim, ...]:
    """All that files set and that is, or would be with another host or without a flag, beyond its reach.

    Trust is asked for all of it at once: a token that counts on loopback is refused as soon as a flag opens the server.

    Args:
        files: what each file says.
        found: what counts of each setting.
    """
    host = _find_host(found)
    return tuple(claim for entries in files for claim in _list_claims(entries, host, foresees=True))


def refuse_claims(claims: Sequence[Claim], options: Collection[str] = ()) -> None:
    """Refuse what stands in a file that the user has not trusted.

    Args:
        claims: of settings that the caller uses.
        options: settings for which the caller's command has an option.

    Raises:
        Unsafe: there is such a setting; the sentence names file, setting and both ways out.
    """
    refused = [claim for claim in claims if not claim.is_trusted]
    if not refused:
        return
    first, *others = refused
    words = [f"{flag(first.name)} or {variable(first.name)}" if first.name in options else variable(first.name)]
    words += [variable(claim.name) for claim in others]
    too = f" (also of {list_some([claim.name for claim in others], _MAX_NAMES_SHOWN - 1)})" if others else ""
    files = " and ".join(dict.fromkeys(claim.file.path.name for claim in refused))
    raise Unsafe(
        f"{first.sentence}; a file may say so{too} only when you trust it: "
        f"use {list_some(words, _MAX_NAMES_SHOWN)} in the environment, or read {files} and run: cvserve config trust"
    )


def trust_file(file: SettingsFile, claims: Iterable[Claim], note: str) -> None:
    """Remember that this user vouches for a file of settings, and where its paths lead now.

    Args:
        file: as it was read.
        claims: of all that it may say.
        note: for people who read the record: how it came about.

    Raises:
        Unsafe: the record cannot be relied on, or not be written.
    """
    targets = {claim.name: claim.target for claim in claims if claim.file is file and claim.target is not None}
    vouch(file.folder, file.path.name, file.sha256, note, targets)


def _find_host(found: Entries) -> str:
    return str(found["host"].value if "host" in found else FIELDS["host"].default)


def _list_claims(entries: Entries, host: str, *, foresees: bool) -> Iterable[Claim]:
    for name, (value, origin, file) in entries.items():
        if file is None or value is None or value == FIELDS[name].default:
            continue
        target = _find_target(name, value, file.folder)
        why = _explain(name, value, host, target, foresees=foresees)
        if why is None and not is_inside(file.path, file.folder):
            why = f"and {file.path.name} is a link that leads out of the folder"
        if why is not None:
            shown = "***" if FIELDS[name].metadata["secret"] else format_value(value)
            yield Claim(name, shown, origin, file, why, target)


def _find_target(name: str, value: Any, folder: Path) -> str | None:
    """Where a path leads that leaves its folder; None for whatever stays, or is no path."""
    if FIELDS[name].metadata["reach"] in _INSIDE and not is_inside(value, folder):
        return str(os.path.realpath(value))
    return None


def _explain(name: str, value: Any, host: str, target: str | None, *, foresees: bool) -> str | None:
    """What a value of a file would do beyond its setting's reach; None when it stays within."""
    reach: Reach = FIELDS[name].metadata["reach"]
    if reach is Reach.TRUSTED:
        return ""
    if target is not None:
        return "which leads out of the folder" + ("" if target == os.path.normpath(value) else f", to '{target}'")
    if reach not in _ON_LOOPBACK:
        return None
    if name == "host":
        return None if is_loopback(str(value)) else "which other machines can reach"
    if not is_loopback(host):
        return f"while host is '{host}'"
    return "which counts for as long as only this machine can call" if foresees else None
