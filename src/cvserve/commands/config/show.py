"""`cvserve config`: each setting, its value and where it comes from; secrets masked."""

from collections.abc import Sequence
from typing import Any

from cvserve.commands.terminal.columns import Column, Row
from cvserve.commands.terminal.output import Format, print_json, say
from cvserve.commands.terminal.table import print_table
from cvserve.configuration import load_configuration
from cvserve.settings import FIELDS, variable
from cvserve.texts import format_value
from cvserve.trust.claims import Claim

_COLUMNS = (
    Column("setting"),
    Column("value"),
    Column("origin"),
    Column("reach", spare=2),
    Column("variable", spare=1),
)


def show_settings(*, as_json: bool) -> None:
    """Print the settings of this folder, and say on stderr which of its files need trust and have it.

    Args:
        as_json: a list of objects instead of a table.

    Raises:
        InvalidSetting: a value that cannot be used, or an unknown key.
        Unsafe: the record of trust cannot be relied on, or others can read the token file.
    """
    configuration = load_configuration(refuses=False)
    refused = {claim.name for claim in configuration.claims if not claim.is_trusted}
    entries = []
    for name, field in FIELDS.items():
        value = _to_json(getattr(configuration.settings, name))
        if field.metadata["secret"] and value is not None:
            value = "***"
        entries.append(
            {
                "name": name,
                "value": value,
                "origin": configuration.origins[name],
                "reach": field.metadata["reach"].name.lower(),
                "refused": name in refused,
                "variable": variable(name),
            }
        )
    if as_json:
        print_json(entries, Format.JSON)
    else:
        _print_table(entries)
    _tell_trust(configuration.claims, configuration.foreseen)


def _tell_trust(claims: Sequence[Claim], foreseen: Sequence[Claim]) -> None:
    """Say which files are trusted, and what is refused of those that are not."""
    for name in dict.fromkeys(claim.file.path.name for claim in foreseen if claim.is_trusted):
        say(f"cvserve: You have trusted {name}.")
    refused = [claim for claim in claims if not claim.is_trusted]
    for claim in refused:
        say(f"cvserve: Refused: {claim.sentence}.")
    if refused:
        say("cvserve: Say it yourself by an option or in the environment, or run: cvserve config trust")


def _print_table(entries: list[dict[str, Any]]) -> None:
    rows = []
    for entry in entries:
        style = "dim" if entry["origin"] == "default" else "bold"
        origin = f"{entry['origin']} (refused)" if entry["refused"] else entry["origin"]
        rows.append(Row((entry["name"], _to_text(entry["value"]), origin, entry["reach"], entry["variable"]), style))
    print_table(_COLUMNS, rows)


def _to_text(value: Any) -> str:
    """A value as it could be typed behind the option."""
    if value is None or value in ("", []):
        return "–"
    return format_value(value)


def _to_json(value: Any) -> Any:
    """A value of a kind that JSON has: a path becomes its text."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return list(value) if isinstance(value, tuple) else str(value)
