"""Options that several commands share, and the step from an option's text to its value."""

from collections.abc import Callable
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


def parse_option(option: str, text: str, parse: Callable[[str], _Value]) -> _Value:
    """Turn the text of an option into its value.

    Args:
        option: its name, e.g. `--timeout`, for the error.
        text: what stands behind it.
        parse: a function of `cvserve.values`, which raises ValueError with the way out.

    Raises:
        InvalidSetting: the text cannot be used; the message names option, text and the way out.
    """
    try:
        return parse(text)
    except ValueError as error:
        raise InvalidSetting(f"{option} is '{text}': {error}.") from None
