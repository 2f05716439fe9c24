"""`.env` and `cvserve.toml`: each read exactly once, so that what is trusted by its hash is what is used."""

import hashlib
import io
import stat
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from cvserve.errors import InvalidSetting
from cvserve.files import read_once
from cvserve.model_name import class_reference
from cvserve.setting_field import Reach
from cvserve.setting_texts import parse_value
from cvserve.settings import FIELDS, flag, variable
from cvserve.texts import did_you_mean
from cvserve.toml_text import NotToml, parse_toml

FILE_NAMES = ("cvserve.toml", ".env")  # the later one wins
_MAX_BYTES = 1024**2
# Set for a process, not by a setting: where trust is kept, which colours a terminal has, and the like.
_OTHER_VARIABLES = frozenset({"CVSERVE_URL"})


class UnknownSettingWarning(UserWarning):
    """A variable begins like one of ours, but there is no such setting."""


@dataclass(frozen=True)
class SettingsFile:
    """A file of settings as it was at one moment.

    Attributes:
        path: of the file; its folder is what paths in it are relative to.
        sha256: of its bytes, 64 hex digits.
        texts: what it says of each setting, and the words that name the place, such as `CVSERVE_PORT in .env`.
    """

    path: Path
    sha256: str
    texts: Mapping[str, tuple[Any, str]] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Its folder."""
        return self.path.parent


class Entry(NamedTuple):
    """What one place says of one setting.

    Attributes:
        value: parsed; None stands for the default.
        origin: words for the place: `flag`, a variable's name, `CVSERVE_PORT in .env`, `cvserve.toml`.
        file: that says it; None when a person does, by a flag or in the environment.
    """

    value: Any
    origin: str
    file: SettingsFile | None = None


Entries = dict[str, Entry]


def read_settings_file(path: Path) -> SettingsFile | None:
    """Read `.env` or `cvserve.toml`; None when there is none.

    Raises:
        InvalidSetting: it cannot be read, is no text or not TOML, or has an unknown key.
    """
    if not path.is_file():
        return None
    try:
        data, status = read_once(path, _MAX_BYTES)
        text = data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise InvalidSetting(f"{path.name} cannot be read; it must be UTF-8 text that you may read.") from None
    if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_BYTES:
        raise InvalidSetting(f"{path.name} is larger than {_MAX_BYTES:,} bytes; that is no file of settings.")
    texts = _parse_toml(text) if path.suffix == ".toml" else read_variables(_parse_dotenv(text), path.name)
    return SettingsFile(path, hashlib.sha256(data).hexdigest(), texts)


def parse_entries(file: SettingsFile) -> Entries:
    """The values of one file; a path in it is relative to its folder.

    Raises:
        InvalidSetting: a value that cannot be used, or a setting that no file may set.
    """
    found: Entries = {}
    for name, (text, origin) in file.texts.items():
        if FIELDS[name].metadata["reach"] is Reach.PERSON:
            raise InvalidSetting(f"{name} cannot be set in {file.path.name}; use {flag(name)} or {variable(name)}.")
        value = parse_value(name, text, origin)
        if name == "model" and value is not None and not Path(value).is_absolute() and not _is_import_path(value):
            value = str(file.folder / value)
        elif isinstance(value, Path):
            value = file.folder / value
        found[name] = Entry(value, origin, file)
    return found


def read_variables(environ: Mapping[str, str], place: str) -> dict[str, tuple[str, str]]:
    """What variables say of each setting, and the words for each; one that begins like ours but is none is a warning.

    Args:
        environ: the process's environment, or what stands in a `.env`.
        place: `the environment`, or the name of the file.
    """
    found = {}
    for name, declared in FIELDS.items():
        for key in (declared.metadata["alias"], variable(name)):
            if key is not None and environ.get(key):
                found[name] = (environ[key], key if place == "the environment" else f"{key} in {place}")
    known = {variable(name) for name in FIELDS} | _OTHER_VARIABLES
    for key in environ:
        if key.startswith("CVSERVE_") and key not in known:
            text = f"{key} in {place} is no setting of cvserve{_hint(key, known)}"
            warnings.warn(text, UnknownSettingWarning, stacklevel=2)
    return found


def _parse_dotenv(text: str) -> dict[str, str]:
    from dotenv import dotenv_values  # most folders have no .env

    entries = dotenv_values(stream=io.StringIO(text), interpolate=False)
    return {key: value for key, value in entries.items() if value is not None}


def _parse_toml(text: str) -> dict[str, tuple[Any, str]]:
    try:
        entries = parse_toml(text)
    except NotToml as error:
        raise InvalidSetting(f"cvserve.toml is not TOML: {error}.") from None
    for key, value in entries.items():
        if key not in FIELDS:
            raise InvalidSetting(f"cvserve.toml has an unknown key '{key}'{_hint(key, FIELDS)}")
        if isinstance(value, dict):
            raise InvalidSetting(f"{key} in cvserve.toml is a table; write one value: {key} = …")
    return {key: (value, "cvserve.toml") for key, value in entries.items()}


def _is_import_path(text: str) -> bool:
    reference = class_reference(text)
    return reference is not None and not reference[0].endswith(".py")


def _hint(name: str, known: Iterable[str]) -> str:
    hint = did_you_mean(name, known)
    return f"; {hint}" if hint else "."
