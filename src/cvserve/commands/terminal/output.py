"""How commands print: results on stdout, messages on stderr, tables for people and JSON for programs."""

import csv
import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvserve.errors import CvserveError, InvalidSetting, ModelError
from cvserve.predictor.user_code import describe_error
from cvserve.texts import replace_unprintable

if TYPE_CHECKING:
    from rich.console import Console

_BAR_CHARACTERS = 20
_PIPE_CELLS = 200
# A spreadsheet runs what begins like this; the last four are full-width forms it reads alike.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


class Format(StrEnum):
    """What a command prints its results as."""

    TABLE = "table"
    JSON = "json"
    NL = "nl"
    CSV = "csv"


def choose_format(*, as_json: bool = False, as_nl: bool = False, as_csv: bool = False) -> Format:
    """Choose the format by the switches `--json`, `--nl` and `--csv`; without one it is the table for people.

    Raises:
        InvalidSetting: more than one switch was given.
    """
    asked = [name for name, on in ((Format.JSON, as_json), (Format.NL, as_nl), (Format.CSV, as_csv)) if on]
    if len(asked) > 1:
        raise InvalidSetting(f"--{asked[0]} and --{asked[1]} contradict each other; take one of them.")
    return asked[0] if asked else Format.TABLE


def make_console(*, stderr: bool = False) -> "Console":
    """Make Rich's view of stdout or stderr, the same for every command that draws.

    It has colours where the terminal has them; NO_COLOR turns all styles off, FORCE_COLOR turns them on in a pipe.
    A pipe, which has no width of its own, is taken to be 200 cells wide: a hash or a path that is broken in two
    could not be used.
    """
    from rich.console import Console  # programs that read JSON need no Rich

    console = Console(stderr=stderr, highlight=False, color_system=None if os.environ.get("NO_COLOR") else "auto")
    if not console.is_terminal:
        console.width = _PIPE_CELLS
    return console


def say(text: str) -> None:
    """Write a line for people to stderr, so that stdout holds results only; control characters are replaced."""
    sys.stderr.write(f"{replace_unprintable(text)}\n")


def say_cause(error: CvserveError, where: str = "") -> None:
    """Say where the model's own code failed: file, line and text of the exception behind a `ModelError`.

    An answer over HTTP does not tell this to a client; there, the server's own log has it. Other errors, and those
    without such an exception, say nothing.

    Args:
        error: what ended a command, or the answer for one picture.
        where: put in front, e.g. the picture's name and a colon.
    """
    if isinstance(error, ModelError) and error.__cause__ is not None:
        say(f"cvserve: {where}{describe_error(error.__cause__, Path.cwd())}")


def print_document(document: Mapping[str, Any]) -> None:
    """Print one JSON object on stdout, indented."""
    sys.stdout.write(json.dumps(document, ensure_ascii=_needs_ascii(), indent=2) + "\n")


def print_json(entries: Iterable[Mapping[str, Any]], form: Format) -> None:
    """Print entries on stdout, each as soon as it is there.

    Args:
        entries: objects for JSON; an iterator is read as it is printed.
        form: `Format.NL` for one object a line, else one JSON list.
    """
    plain = _needs_ascii()
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
    """Print CSV on stdout as RFC 4180 has it.

    A text that a spreadsheet would run as a formula gets a quote in front: a file name or a label may be a stranger's.
    On a terminal, control characters are replaced, as in a table; a pipe or a file gets the data as they are.
    """
    writer = csv.writer(sys.stdout, lineterminator="\r\n")
    writer.writerow(header)
    disarm = _disarm_all if sys.stdout.isatty() else _disarm_formula
    writer.writerows([disarm(cell) for cell in row] for row in rows)


def draw_bar(score: float) -> str:
    """Draw a score from 0 to 1 as a bar of 20 characters."""
    full = round(score * _BAR_CHARACTERS)
    return "█" * full + "░" * (_BAR_CHARACTERS - full)


def _needs_ascii() -> bool:
    """Whether stdout is not UTF-8, so that only escapes keep the JSON valid."""
    return (sys.stdout.encoding or "ascii").lower().replace("-", "") != "utf8"


def _disarm_formula(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA_STARTS) else cell


def _disarm_all(cell: Any) -> Any:
    return _disarm_formula(replace_unprintable(cell)) if isinstance(cell, str) else cell
