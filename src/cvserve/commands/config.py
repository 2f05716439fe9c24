"""`cvserve config`: each setting, its value and where it comes from; secrets masked."""

from typing import Any

from cvserve.commands.terminal.columns import Column, Row
from cvserve.commands.terminal.options import AsJson
from cvserve.commands.terminal.output import Format, print_json
from cvserve.commands.terminal.table import print_table
from cvserve.configuration import load_configuration
from cvserve.settings import FIELDS, variable

_COLUMNS = (Column("setting"), Column("value"), Column("origin"), Column("variable", spare=1))


def config(as_json: AsJson = False) -> None:
    """Show the settings of this folder, and where each comes from."""
    configuration = load_configuration()
    entries = []
    for name, field in FIELDS.items():
        value = _to_json(getattr(configuration.settings, name))
        if field.metadata["secret"] and value is not None:
            value = "***"
        origin = configuration.origins[name]
        entries.append({"name": name, "value": value, "origin": origin, "variable": variable(name)})
    if as_json:
        print_json(entries, Format.JSON)
    else:
        _print_table(entries)


def _print_table(entries: list[dict[str, Any]]) -> None:
    rows = []
    for entry in entries:
        style = "dim" if entry["origin"] == "default" else "bold"
        cells = (entry["name"], _to_text(entry["value"]), entry["origin"], entry["variable"])
        rows.append(Row(cells, style))
    print_table(_COLUMNS, rows)


def _to_text(value: Any) -> str:
    """A value as it could be typed behind the option."""
    if value is None or value in ("", []):
        return "–"
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, list) else str(value)


def _to_json(value: Any) -> Any:
    """A value of a kind that JSON has: a path becomes its text."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return list(value) if isinstance(value, tuple) else str(value)
