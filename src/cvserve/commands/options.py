"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Home = Annotated[
    Path | None, typer.Option("--home", metavar="DIR", help="Folder of cvserve.db and output.log. Default: here.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print a JSON list.")]
AsNl = Annotated[bool, typer.Option("--nl", help="Print one JSON object a line.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print CSV.")]


def home_folder(home: Path | None) -> Path:
    """The folder: the flag, else what environment, `.env` and `cvserve.toml` say."""
    if home is not None:
        return home.expanduser()
    from cvserve.configuration import load_configuration  # `--help` needs none of this

    return load_configuration().settings.home
