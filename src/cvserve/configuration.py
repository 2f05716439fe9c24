"""Where each setting's value comes from: flag > environment > `.env` > `cvserve.toml` > default."""

import io
import os
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvserve.errors import InvalidSetting, Unsafe
from cvserve.setting_field import Reach
from cvserve.settings import FIELDS, Settings, flag, parse_value, variable
from cvserve.texts import did_you_mean
from cvserve.values import BUILTIN_MODEL, class_reference
from cvserve.values import token as parse_token

# Set for a process, not by a setting: where trust is kept, which colours a terminal has, and the like.
_OTHER_VARIABLES = frozenset({"CVSERVE_URL"})
_OF_ONE_MODEL = tuple(name for name, field in FIELDS.items() if field.metadata["of_one_model"])
# What one place says: value and origin by setting.
Entries = dict[str, tuple[Any, str]]


@dataclass(frozen=True)
class Configuration:
    """The settings and the origin of each.

    Attributes:
        settings: what to run with.
        origins: for each setting `flag`, the variable's name, `.env`, `cvserve.toml` or `default`.
    """

    settings: Settings
    origins: dict[str, str]


class UnknownSettingWarning(UserWarning):
    """A variable begins like one of ours, but there is no such setting."""


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
    found |= _choose_for_model(places, found["model"][0] if "model" in found else None)
    values = {name: value for name, (value, _) in found.items() if value is not None}
    if values.get("token") is None and values.get("token_file") is not None:
        values["token"] = read_token_file(values["token_file"])
    origins = {name: found[name][1] if name in found else "default" for name in FIELDS}
    if "token" in values and "token" not in found:
        origins["token"] = "token_file"  # noqa: S105 - the name of a setting
    by_file = origins["model"] == "cvserve.toml" or origins["model"].endswith(" in .env")
    return Configuration(Settings(**values, model_named_by_file=by_file), origins)


def find_home(home: str | os.PathLike[str] | None = None) -> Path:
    """Find the folder of cvserve.db: the one that was asked for, else what environment, `.env` and `cvserve.toml` say.

    Raises:
        InvalidSetting: a value that cannot be used, an unknown key, or a setting that no file may set.
    """
    flags = {} if home is None else {"home": os.fspath(home)}
    value, _ = _merge(_read_places(flags, os.environ, Path.cwd())).get("home", (Path(), "default"))
    return Path(value)


def _read_places(
    flags: Mapping[str, Any], environ: Mapping[str, str], directory: Path
) -> tuple[Entries, Entries, Entries, Entries]:
    """What `cvserve.toml`, `.env`, the environment and the command line say; a later one wins."""
    toml = _read_file(_read_toml(directory / "cvserve.toml"), "cvserve.toml", directory)
    dotenv = _read_file(_read_variables(_read_dotenv(directory / ".env"), ".env"), ".env", directory)
    variables = _read_variables(environ, "the environment")
    environment = {name: (parse_value(name, text, origin), origin) for name, (text, origin) in variables.items()}
    options = {
        name: (True if value is True else parse_value(name, value, flag(name)), "flag")
        for name, value in flags.items()
        # A switch that is off and a list without entries were not given; a 0 was, although it equals False.
        if value is not None and value is not False and value not in ((), [])
    }
    return toml, dotenv, environment, options


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
            owner = next((entries["model"][0] for entries in beside if "model" in entries), model)
            if _is_same_model(owner, model):
                chosen[name] = place[name]
                break
            chosen[name] = (None, "default")
            _, origin = place[name]
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


def _read_file(entries: Mapping[str, tuple[Any, str]], file: str, directory: Path) -> Entries:
    """The values of one file; a path in it is relative to its folder."""
    found: Entries = {}
    for name, (text, origin) in entries.items():
        if FIELDS[name].metadata["reach"] is Reach.PERSON:
            raise InvalidSetting(f"{name} cannot be set in {file}; use {flag(name)} or {variable(name)}.")
        value = parse_value(name, text, origin)
        if name == "model" and value is not None and not Path(value).is_absolute() and not _is_import_path(value):
            value = str(directory / value)
        elif isinstance(value, Path):
            value = directory / value
        found[name] = (value, origin)
    return found


def _is_import_path(text: str) -> bool:
    reference = class_reference(text)
    return reference is not None and not reference[0].endswith(".py")


def _read_variables(environ: Mapping[str, str], origin: str) -> dict[str, tuple[str, str]]:
    found = {}
    for name, field in FIELDS.items():
        for key in (field.metadata["alias"], variable(name)):
            if key is not None and environ.get(key):
                found[name] = (environ[key], key if origin == "the environment" else f"{key} in {origin}")
    known = {variable(name) for name in FIELDS} | _OTHER_VARIABLES
    for key in environ:
        if key.startswith("CVSERVE_") and key not in known:
            text = f"{key} in {origin} is no setting of cvserve{_hint(key, known)}"
            warnings.warn(text, UnknownSettingWarning, stacklevel=2)
    return found


def _hint(name: str, known: Iterable[str]) -> str:
    hint = did_you_mean(name, known)
    return f"; {hint}" if hint else "."


def _read_dotenv(path: Path) -> dict[str, str]:
    text = _text_of(path)
    if text is None:
        return {}
    from dotenv import dotenv_values  # most folders have no .env

    entries = dotenv_values(stream=io.StringIO(text), interpolate=False)
    return {key: value for key, value in entries.items() if value is not None}


def _read_toml(path: Path) -> dict[str, tuple[Any, str]]:
    text = _text_of(path)
    if text is None:
        return {}
    import tomllib  # most folders have no cvserve.toml

    try:
        entries = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidSetting(f"cvserve.toml is not TOML: {error}.") from None
    for key, value in entries.items():
        if key not in FIELDS:
            raise InvalidSetting(f"cvserve.toml has an unknown key '{key}'{_hint(key, FIELDS)}")
        if isinstance(value, dict):
            raise InvalidSetting(f"{key} in cvserve.toml is a table; write one value: {key} = …")
    return {key: (value, "cvserve.toml") for key, value in entries.items()}


def _text_of(path: Path) -> str | None:
    """What stands in a file of settings; None when there is none."""
    if not path.is_file():
        return None
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise InvalidSetting(f"{path.name} cannot be read; it must be UTF-8 text that you may read.") from None
