"""A `model.toml` that says everything, written out of the properties of a model; `toml_read.py` reads it back."""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cvserve.errors import InvalidSetting
from cvserve.files import replace_file
from cvserve.predictor.models.config.keys import CHECKS
from cvserve.predictor.models.fault import ModelFault
from cvserve.predictor.models.input_spec import CROPS

_MAX_ITEMS_A_LINE = 12
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_GUESSED = "guessed: neither said nor read from the file"
_ONLY_FOR_CROPS = ("input.crop_ratio", "input.short_side", "input.crop_rounding")
_COMMENTS = {
    "input.size": "width, height in pixels",
    "input.scale": "value = (pixel * scale - mean) / std",
}


def format_config(found: Mapping[str, tuple[Any, str]], stated: Mapping[str, Any] | None = None) -> str:
    """Write every known key as TOML: sections in the order of `toml_keys.CHECKS`, guesses marked by a comment.

    Args:
        found: value and origin by key, as `collect_properties` gives them; words that are no keys are left out.
        stated: what the `model.toml` before it says, so that none of it gets lost.
    """
    properties = {key: (value, "model.toml") for key, value in (stated or {}).items()} | dict(found)
    lines: list[str] = []
    section = ""
    for key in CHECKS:
        if key not in properties or not _is_worth_a_line(key, properties):
            continue
        value, origin = properties[key]
        prefix, _, name = key.rpartition(".")
        if prefix != section:
            lines += ["", f"[{prefix}]"] if lines else [f"[{prefix}]"]
            section = prefix
        notes = [_COMMENTS.get(key, ""), _GUESSED if origin == "guessed" else ""]
        comment = "; ".join(note for note in notes if note)
        lines.append(
            f"{name} = {_to_toml(value, is_inline=isinstance(value, dict))}" + (f"  # {comment}" if comment else "")
        )
    return "\n".join(lines) + "\n"


def write_config(path: Path, text: str, *, overwrite: bool) -> None:
    """Write a `model.toml`, whole or not at all.

    Raises:
        InvalidSetting: it is there already and `overwrite` is false, or it cannot be written.
    """
    if os.path.lexists(path) and not overwrite:
        raise InvalidSetting(f"'{path}' is there already; look at it, and overwrite it with --force.")
    try:
        replace_file(path, text.encode("utf-8"))
    except OSError as error:
        raise InvalidSetting(f"'{path}' cannot be written: {error.strerror}; check its folder.") from None


def _is_worth_a_line(key: str, properties: Mapping[str, tuple[Any, str]]) -> bool:
    """Whether a line for the key could be read again and would not be idle beside the others."""
    if key in _ONLY_FOR_CROPS and properties.get("input.resize", ("",))[0] not in CROPS:
        return False
    if key == "input.crop_ratio" and properties.get("input.short_side", (None,))[0] is not None:
        return False
    value, _ = properties[key]
    try:
        CHECKS[key](key, list(value) if isinstance(value, tuple) else value)
    except ModelFault:  # a file may call its classes "" and "", which nobody may write
        return False
    return True


def _to_toml(value: Any, *, is_inline: bool = False) -> str:
    """A value; one that is inline takes one line, as an inline table must."""
    if isinstance(value, dict):
        items = [f"{_to_key(key)} = {_to_toml(item, is_inline=True)}" for key, item in value.items()]
        return f"{{ {', '.join(items)} }}" if items else "{}"
    if isinstance(value, (list, tuple)):
        items = [_to_toml(item, is_inline=is_inline) for item in value]
        if len(items) > _MAX_ITEMS_A_LINE and not is_inline:
            return "[\n" + "".join(f"  {item},\n" for item in items) + "]"
        return f"[{', '.join(items)}]"
    if isinstance(value, str):
        # A TOML string is a JSON string, but for DEL, which may not stand there as it is.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, (int, float)) else str(value)


def _to_key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _to_toml(key)
