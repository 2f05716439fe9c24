"""Where each setting's value comes from: flag > environment > `.env` > `cvserve.toml` > default."""

import os
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvserve.errors import InvalidSetting, Unsafe
from cvserve.settings import FIELDS, Settings, flag, parse_value
from cvserve.settings_files import FILE_NAMES, Entries, Entry, parse_entries, read_settings_file, read_variables
from cvserve.values import BUILTIN_MODEL
from cvserve.values import token as parse_token

_OF_ONE_MODEL = tuple(name for name, field in FIELDS.items() if field.metadata["of_one_model"])


@dataclass(frozen=True)
class Configuration:
    """The settings and the origin of each.

    Attributes:
        settings: what to run with.
        origins: for each setting `flag`, the variable's name, `.env`, `cvserve.toml` or `default`.
    """

    settings: Settings
    origins: dict[str, str]


class OtherModelWarning(UserWarning):
    """A setting describes another model than the one that is loaded, and is left out."""


def load_configuration(
    flags: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> Configuration:
    """Read all places once: command line, environment, `.env` and `cvserve.toml`.

    Args:
        flags: from the command line; None stands for "not given".
        environ: default: the process's own.
        directory: where `.env` and `cvserve.toml` are looked for; default: the working directory.

    Raises:
        InvalidSetting: a value that cannot be used, an unknown key, or a setting that no file may set.
        Unsafe: the token file can be read by others.
    """
    places = _read_places(flags or {}, os.environ if environ is None else environ, directory or Path.cwd())
    found = _merge(places)
    found |= _choose_for_model(places, found["model"].value if "model" in found else None)
    values = {name: entry.value for name, entry in found.items() if entry.value is not None}
    if values.get("token") is None and values.get("token_file") is not None:
        values["token"] = read_token_file(values["token_file"])
    origins = {name: found[name].origin if name in found else "default" for name in FIELDS}
    if "token" in values and "token" not in found:
        origins["token"] = "token_file"  # noqa: S105 - the name of a setting
    by_file = "model" in found and found["model"].file is not None
    return Configuration(Settings(**values, model_named_by_file=by_file), origins)


def find_home(home: str | os.PathLike[str] | None = None) -> Path:
    """Find the folder of cvserve.db: the one that was asked for, else what environment, `.env` and `cvserve.toml` say.

    Raises:
        InvalidSetting: a value that cannot be used, an unknown key, or a setting that no file may set.
    """
    flags = {} if home is None else {"home": os.fspath(home)}
    home_entry = _merge(_read_places(flags, os.environ, Path.cwd())).get("home")
    return Path() if home_entry is None else Path(home_entry.value)


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
            warnings.warn(f"{text}use {flag(name)} to give one.", OtherModelWarning, stacklevel=3)
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
        status = path.stat()
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise InvalidSetting(f"token_file '{path}' cannot be read; give a file with one token.") from None
    mounted = status.st_uid == 0 and os.geteuid() != 0
    if status.st_mode & 0o077 and not mounted:
        raise Unsafe(f"token_file '{path}' can be read by others; run: chmod 600 {path}")
    try:
        return parse_token(text)
    except ValueError as error:
        raise InvalidSetting(f"token_file '{path}' holds no token: {error}.") from None
