"""`cvserve config trust`: vouch for what a folder says beyond what any folder may say."""

import contextlib
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePath
from typing import Any

import typer

from cvserve.commands.loading.ask_trust import TYPED_CHARACTERS, is_terminal
from cvserve.commands.terminal.output import say
from cvserve.configuration import Configuration, load_configuration
from cvserve.errors import InvalidSetting, ModelLoadError, Unsafe
from cvserve.predictor.backends.python.module import file_of
from cvserve.predictor.models.config.place import find_config_place
from cvserve.predictor.models.config.read import read_config
from cvserve.settings import Settings
from cvserve.trust.claims import trust_file
from cvserve.trust.vouched import is_vouched, vouch
from cvserve.values import sha256 as parse_sha256


@dataclass(frozen=True)
class _Item:
    """A file to vouch for.

    Attributes:
        name: in its folder.
        sha256: of what is in it.
        says: what it says or does, a line each.
        record: remember it, with a note.
    """

    name: str
    sha256: str
    says: tuple[str, ...]
    record: Callable[[str], None]


def trust_folder(flags: Mapping[str, Any], hashes: Sequence[str]) -> None:
    """Show what needs trust in this folder, and record that the user vouches for it.

    Args:
        flags: `model` and `model_config` from the command line, raw.
        hashes: that the user gives, 64 hex digits each; empty: ask on the terminal for each file.

    Raises:
        InvalidSetting: a setting or a hash that cannot be used, or there is nobody to ask.
        Unsafe: the answer was no, a file has another hash, or the record of trust cannot be relied on.
    """
    configuration = load_configuration(flags, refuses=False)
    items = [*_list_files(configuration), *_list_links(configuration.settings)]
    if not items:
        say("Nothing here needs to be trusted, or it is already.")
        return
    given = [_parse_hash(text) for text in hashes]
    for item in items:
        say(f"'{item.name}', SHA-256 {item.sha256}:")
        for line in item.says:
            say(f"  {line}")
    if not given and not is_terminal():
        names = " ".join(shlex.quote(item.name) for item in items)
        raise InvalidSetting(
            "There is nobody to ask; run: cvserve config trust --sha256 HEX, once for each hash that "
            f"`sha256sum {names}` prints."
        )
    for item in items:
        _vouch_for(item, given)


def _vouch_for(item: _Item, given: Sequence[str]) -> None:
    if given and item.sha256 not in given:
        raise Unsafe(f"'{item.name}' is still not trusted: its SHA-256 is {item.sha256}, which was not given.")
    if not given and not _is_confirmed(item):
        raise Unsafe(f"'{item.name}' is still not trusted: that was not the beginning of its hash.")
    item.record("cvserve config trust" + (" --sha256" if given else ""))
    typer.echo(item.sha256)
    say(f"'{item.name}' is trusted now, for you, in this folder and as long as its hash is this.")


def _is_confirmed(item: _Item) -> bool:
    question = f"To trust '{item.name}', type the first {TYPED_CHARACTERS} characters of its SHA-256"
    answer = typer.prompt(question, default="", show_default=False, err=True)
    return bool(answer.strip().lower() == item.sha256[:TYPED_CHARACTERS])


def _list_files(configuration: Configuration) -> list[_Item]:
    """The files that say what goes, or with other options would go, beyond any folder, and are not trusted yet."""
    claims = configuration.foreseen
    files = {claim.file.path.name: claim.file for claim in claims if not claim.is_trusted}
    return [
        _Item(
            name,
            file.sha256,
            tuple(claim.sentence for claim in claims if claim.file is file),
            partial(trust_file, file, claims),
        )
        for name, file in files.items()
    ]


def _list_links(settings: Settings) -> list[_Item]:
    """What leads out of the model's folder although its lines would stand in answers, and is not trusted yet."""
    items: list[_Item] = []

    def note(folder: Path, name: str | PurePath, sha256: str) -> bool:
        if not is_vouched(folder, name, sha256):
            says = (f"is read from '{(folder / name).resolve()}'",)
            items.append(_Item(str(name), sha256, says, partial(vouch, folder, name, sha256)))
        return True

    # What else is wrong with it is said when the model is loaded.
    with contextlib.suppress(ModelLoadError):
        if settings.model is not None:
            place = find_config_place(settings.model, file_of(settings.model))
            read_config(place, settings.model_config, is_vouched=note)
    return items


def _parse_hash(text: str) -> str:
    try:
        return parse_sha256(text)
    except ValueError as error:
        raise InvalidSetting(f"--sha256 is '{text}': {error}.") from None
