"""`cvserve serve`: every setting is an option, taken from the one table; what it does is in `start.py`."""

from typing import Any

import typer

from cvserve.commands.terminal.setting_options import take_settings
from cvserve.settings import FIELDS


@take_settings(name for name, field in FIELDS.items() if field.metadata["flag"])
def serve(**flags: Any) -> None:
    """Put the model on the network."""
    from cvserve.commands.serve.start import start_server  # `--help` needs no server

    raise typer.Exit(start_server(flags))
