"""How commands print: results on stdout, talk on stderr, tables for people and JSON for programs."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvserve.errors import CvserveError, InvalidSetting, ModelError
from cvserve.texts import replace_unprintable

if TYPE_CHECKING:
    from rich.console import Console

_BAR_CHARACTERS = 20
# A spreadsheet runs what begins like this; the last four are full-width forms it reads alike.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


class Format(StrEnum):
    """What a command prints its results as."""

    TABLE = "table"
    JSON = "json"
    NL = "nl"
    CSV = "csv"


def chosen(*, as_json: bool = False, as_nl: bool = False, as_csv: bool = False) -> Format:
    """The one format that was asked for.

    Raises:
        InvalidSetting: more than one.
    """
    asked = [name for name, on in ((Format.JSON, as_json), (Format.NL, as_nl), (Format.CSV, as_csv)) if on]
    if len(asked) > 1:
        raise InvalidSetting(f"--{asked[0]} and --{asked[1]} contradict each other; take one of them.")
    return asked[0] if asked else Format.TABLE


def console(*, stderr: bool = False) -> "Console":
    """A terminal with colours where there are any; honours NO_COLOR and FORCE_COLOR."""
    from rich.console import Console  # programs that read JSON need no Rich

    return Console(stderr=stderr, highlight=False, soft_wrap=not sys.stdout.isatty())


def say(text: str) -> None:
    """Talk, on stderr."""
    sys.stderr.write(f"{replace_unprintable(text)}\n")


def say_cause(error: CvserveError, where: str = "") -> None:
    """Talk about the mistake in a model's code behind an error; elsewhere the server's own log has it.

    Args:
        error: of one picture or of a command.
        where: put in front, e.g. the picture's name.
    """
    if isinstance(error, ModelError) and error.__cause__ is not None:
        from cvserve.predictor.user_code import told  # only when something went wrong

        say(f"cvserve: {where}{told(error.__cause__, Path.cwd())}")


def print_json(entries: Iterable[Mapping[str, Any]], form: Format) -> None:
    """A JSON list, or one object a line, each as soon as it is there."""
    # Where stdout is not UTF-8, escapes keep the JSON valid.
    plain = (sys.stdout.encoding or "ascii").lower().replace("-", "") != "utf8"
    if form is Format.NL:
        for entry in entries:
            sys.stdout.write(json.dumps(entry, ensure_ascii=plain) + "\n")
            sys.stdout.flush()
        return
    separator = "[\n"
    for entry in entries:
        text = json.dumps(entry, ensure_ascii=plain, indent=2).replace("\n", "\n  ")
        sys.stdout.write(f"{separator}  {text}")
        separator = ",\n"
    sys.stdout.write("[]\n" if separator == "[\n" else "\n]\n")


def print_csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """RFC 4180; a text that a spreadsheet would take for a formula gets a quote in front."""
    import csv

    writer = csv.writer(sys.stdout, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows([_harmless(cell) for cell in row] for row in rows)


def bar(score: float) -> str:
    """A score 0…1 as a bar of fixed width."""
    full = round(score * _BAR_CHARACTERS)
    return "█" * full + "░" * (_BAR_CHARACTERS - full)


def _harmless(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA_STARTS) else cell
