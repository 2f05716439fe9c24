"""`cvserve config`: each setting, its value and where it comes from; secrets masked."""

from typing import Any

from cvserve.commands.terminal.options import AsJson
from cvserve.commands.terminal.output import Format, print_json


def config(as_json: AsJson = False) -> None:
    """What `serve` would run with here, and who says so."""
    from cvserve.configuration import load_configuration  # `--help` needs none of this
    from cvserve.settings import FIELDS, variable

    configuration = load_configuration()
    entries = []
    for name, field in FIELDS.items():
        value = _plain(getattr(configuration.settings, name))
        if field.metadata["secret"] and value is not None:
            value = "***"
        origin = configuration.origins[name]
        entries.append({"name": name, "value": value, "origin": origin, "variable": variable(name)})
    if as_json:
        print_json(entries, Format.JSON)
    else:
        _print_table(entries)


def _print_table(entries: list[dict[str, Any]]) -> None:
    from cvserve.commands.terminal.table import Column, Row, print_table

    columns = (Column("setting"), Column("value"), Column("origin"), Column("variable", spare=1))
    rows = []
    for entry in entries:
        style = "dim" if entry["origin"] == "default" else "bold"
        cells = (entry["name"], _shown(entry["value"]), entry["origin"], entry["variable"])
        rows.append(Row(cells, style))
    print_table(columns, rows)


def _shown(value: Any) -> str:
    """As it could be typed."""
    if value is None or value in ("", []):
        return "–"
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, list) else str(value)


def _plain(value: Any) -> Any:
    """As JSON can say it."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return list(value) if isinstance(value, tuple) else str(value)
