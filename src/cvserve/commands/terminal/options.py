"""Options that several commands share, and how the text of one becomes its value."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from cvserve.errors import InvalidSetting

Home = Annotated[
    str | None, typer.Option("--home", metavar="DIR", help="Folder of cvserve.db and output.log. Default: here.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print a JSON list.")]
AsNl = Annotated[bool, typer.Option("--nl", help="Print one JSON object a line.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print CSV.")]

_Value = TypeVar("_Value")


def value_of(option: str, text: str, parse: Callable[[str], _Value]) -> _Value:
    """The value of an option.

    Args:
        option: as it is typed, for the error.
        text: what was typed behind it.
        parse: one of `cvserve.values`.

    Raises:
        InvalidSetting: it cannot be used.
    """
    try:
        return parse(text)
    except ValueError as error:
        raise InvalidSetting(f"{option} is '{text}': {error}.") from None


def home_folder(home: str | None) -> Path:
    """The folder: the flag, else what environment, `.env` and `cvserve.toml` say."""
    from cvserve.configuration import find_home  # `--help` needs none of this

    return find_home(home)
