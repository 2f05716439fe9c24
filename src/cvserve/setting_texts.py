"""The value of a setting as text: read from what somebody wrote, and its default as people write it."""

from typing import Any

from cvserve import values
from cvserve.errors import InvalidSetting
from cvserve.settings import FIELDS
from cvserve.texts import format_value


def format_default(name: str) -> str:
    """Write the default of a setting as people write it: `20MiB`, `30s`; empty when there is none."""
    field = FIELDS[name]
    value: Any = field.default
    if value in (None, "", ()):
        return ""
    if field.metadata["parse"] is values.size_bytes:
        return f"{value // 2**20}MiB" if value >= 2**20 else f"{value // 2**10}KiB"
    if field.metadata["parse"] is values.seconds:
        return f"{value:g}s"
    return format_value(value)


def parse_value(name: str, text: Any, origin: str) -> Any:
    """The value of a setting from what somebody wrote.

    Raises:
        InvalidSetting: it cannot be used; the text names setting, value, origin and the way out.
    """
    parse = FIELDS[name].metadata["parse"]
    if isinstance(text, list):
        text = ",".join(str(entry) for entry in text)
    try:
        return parse(text if isinstance(text, str) else str(text))
    except ValueError as error:
        shown = "***" if FIELDS[name].metadata["secret"] else text
        raise InvalidSetting(f"{name} is '{shown}' ({origin}): {error}.") from None
