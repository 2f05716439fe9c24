"""Where each setting's value comes from: flag > environment > `.env` > `cvserve.toml` > default."""

import os
import stat
import warnings
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvserve.errors import InvalidSetting, Unsafe
from cvserve.files import others_may_read, read_once
from cvserve.setting_texts import parse_value
from cvserve.settings import FIELDS, Settings, flag
from cvserve.settings_files import (
    FILE_NAMES,
    Entries,
    Entry,
    SettingsFile,
    parse_entries,
    read_settings_file,
    read_variables,
)
from cvserve.trust.claims import Claim, find_claims, foresee_claims, refuse_claims
from cvserve.trust.vouched import is_vouched
from cvserve.values import BUILTIN_MODEL
from cvserve.values import token as parse_token

_MAX_TOKEN_FILE_BYTES = 16 * 1024
_OF_ONE_MODEL = tuple(name for name, field in FIELDS.items() if field.metadata["of_one_model"])


@dataclass(frozen=True)
class Configuration:
    """The settings and the origin of each.

    Attributes:
        settings: what to run with.
        origins: for each setting `flag`, the variable's name, `.env`, `cvserve.toml` or `default`.
        files: for each setting that a file set, which one.
        claims: what files set beyond its reach, whether the user has trusted them or not.
        foreseen: the same, and what would be beyond its reach with other options; trust is asked for all of it.
    """

    settings: Settings
    origins: dict[str, str]
    files: Mapping[str, SettingsFile]
    claims: tuple[Claim, ...] = ()
    foreseen: tuple[Claim, ...] = ()

    def is_of_user(self, name: str) -> bool:
        """Whether the user says this setting, or nobody does: no file, or one that they have trusted as it is.

        Raises:
            Unsafe: the record of trust cannot be relied on.
        """
        file = self.files.get(name)
        return file is None or is_vouched(file.folder, file.path.name, file.sha256)


class OtherModelWarning(UserWarning):
    """A setting describes another model than the one that is loaded, and is left out."""


def load_configuration(
    flags: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    directory: Path | None = None,
    *,
    uses: Collection[str] = tuple(FIELDS),
    refuses: bool = True,
) -> Configuration:
    """Read all places once: command line, environment, `.env` and `cvserve.toml`.

    Args:
        flags: from the command line, a key for each option that there is; None stands for "not given".
        environ: default: the process's own.
        directory: where `.env` and `cvserve.toml` are looked for; default: the working directory.
        uses: settings that the caller uses; of the others nothing is read, refused or checked against each other.
        refuses: whether a setting that a file must not set is an error; False: only to show it to its user.

    Raises:
        InvalidSetting: a value that cannot be used, an unknown key, or a setting that no file may set.
        Unsafe: a setting that a file may set only when the user has trusted it; or others can read the token file.
    """
    places = _read_places(flags or {}, os.environ if environ is None else environ, directory or Path.cwd())
    found = {name: entry for name, entry in _choose(places).items() if name in uses}
    claims = find_claims(found)
    if refuses:
        refuse_claims(claims, flags or ())
    values = {name: entry.value for name, entry in found.items() if entry.value is not None}
    # What is only to be shown is not read: the file may be any of the user's.
    is_refused = not refuses and any(claim.name == "token_file" and not claim.is_trusted for claim in claims)
    if values.get("token") is None and values.get("token_file") is not None and not is_refused:
        values["token"] = read_token_file(values["token_file"])
    origins = {name: found[name].origin if name in found else "default" for name in FIELDS}
    if "token" in values and "token" not in found:
        origins["token"] = "token_file"  # noqa: S105 - the name of a setting
    files = {name: entry.file for name, entry in found.items() if entry.file is not None}
    settings = Settings(**values, model_named_by_file="model" in files)
    return Configuration(settings, origins, files, claims, foresee_claims(places[: len(FILE_NAMES)], found))


def find_home(home: str | os.PathLike[str] | None = None, *, has_option: bool = True) -> Path:
    """Find the folder of cvserve.db: the one that was asked for, else what environment, `.env` and `cvserve.toml` say.

    Args:
        home: that was asked for; None: none was.
        has_option: whether the caller is a command that has the option `--home`.

    Raises:
        InvalidSetting: a value that cannot be used, an unknown key, or a setting that no file may set.
        Unsafe: a setting that a file may set only when the user has trusted it.
    """
    flags = {} if home is None else {"home": os.fspath(home)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OtherModelWarning)  # no model is loaded
        found = _choose(_read_places(flags, os.environ, Path.cwd()))
    refuse_claims(find_claims({name: found[name] for name in ("home",) if name in found}), ["home"] * has_option)
    return Path(found["home"].value) if "home" in found else Path()


def _choose(places: tuple[Entries, Entries, Entries, Entries]) -> Entries:
    """What counts of each setting."""
    found = _merge(places)
    return found | _choose_for_model(places, found["model"].value if "model" in found else None)


def _read_places(
    flags: Mapping[str, Any], environ: Mapping[str, str], directory: Path
) -> tuple[Entries, Entries, Entries, Entries]:
    """What `cvserve.toml`, `.env`, the environment and the command line say; a later one wins."""
    toml, dotenv = (_read_entries(directory / name) for name in FILE_NAMES)
    variables = read_variables(environ, "the environment")
    environment = {name: Entry(parse_value(name, text, origin), origin) for name, (text, origin) in variables.items()}
    options = {
        name: Entry(True if value is True else parse_value(name, value, flag(name)), "flag")
        for name, value in flags.items()
        # A switch that is off and a list without entries were not given; a 0 was, although it equals False.
        if value is not None and value is not False and value not in ((), [])
    }
    return toml, dotenv, environment, options


def _read_entries(path: Path) -> Entries:
    file = read_settings_file(path)
    return {} if file is None else parse_entries(file)


def _merge(places: Iterable[Entries]) -> Entries:
    return {name: entry for place in places for name, entry in place.items()}


def _choose_for_model(places: tuple[Entries, Entries, Entries, Entries], model: str | None) -> Entries:
    """Weights and config that go with a model: those that another model was named beside are left out.

    Files are one folder's: what `.env` says goes with the model that it names, or that `cvserve.toml` names. What a
    person says in the environment goes with the model there. Where none is named, it goes with any.
    """
    toml, dotenv, environment, options = places
    owners = ((toml, (toml,)), (dotenv, (dotenv, toml)), (environment, (environment,)), (options, ()))
    chosen: Entries = {}
    for name in _OF_ONE_MODEL:
        for place, beside in reversed(owners):
            if name not in place:
                continue
            owner = next((entries["model"].value for entries in beside if "model" in entries), model)
            if _is_same_model(owner, model):
                chosen[name] = place[name]
                break
            chosen[name] = Entry(None, "default")
            origin = place[name].origin
            text = f"{name} ({origin}) is for the model '{owner or BUILTIN_MODEL}' and is left out; "
            warnings.warn(f"{text}use {flag(name)} to give one.", OtherModelWarning, stacklevel=4)
    return chosen


def _is_same_model(one: str | None, other: str | None) -> bool:
    if one is None or other is None:
        return one is other
    return os.path.realpath(one) == os.path.realpath(other)


def read_token_file(path: Path) -> str:
    """The token in a file.

    Raises:
        Unsafe: others may read it. A file that root mounted for us (a container's secret) is taken as it is.
        InvalidSetting: there is no such file, or it holds no token.
    """
    try:
        data, status = read_once(path, _MAX_TOKEN_FILE_BYTES)
        text = data.decode("utf-8")
    except (OSError, ValueError):
        raise InvalidSetting(f"token_file '{path}' cannot be read; give a file with one token.") from None
    if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_TOKEN_FILE_BYTES:
        raise InvalidSetting(f"token_file '{path}' is no file with one token, but a pipe, a folder or a large one.")
    if others_may_read(status):
        raise Unsafe(f"token_file '{path}' can be read by others; run: chmod 600 {path}")
    try:
        return parse_token(text)
    except ValueError as error:
        raise InvalidSetting(f"token_file '{path}' holds no token: {error}.") from None
