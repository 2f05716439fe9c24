"""`cvserve config`: each setting, its value and where it comes from; secrets masked."""

from typing import Any

from cvserve.commands.options import AsJson
from cvserve.commands.output import Format, console, print_json


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
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for title in ("setting", "value", "origin", "variable"):
        table.add_column(title)
    for entry in entries:
        style = "dim" if entry["origin"] == "default" else "bold"
        shown = "–" if entry["value"] is None else str(entry["value"])
        cells = (str(entry["name"]), shown, str(entry["origin"]), str(entry["variable"]))
        table.add_row(*(Text(cell, style=style) for cell in cells))
    console().print(table)


def _plain(value: Any) -> Any:
    """As JSON can say it."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return list(value) if isinstance(value, tuple) else str(value)
