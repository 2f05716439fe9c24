"""Tables for people: what matters is never cut, the rest makes room for it.

On a terminal a table fits its width: columns that may be shortened are, then those that can be missed are left
out. In a pipe nothing is. (Rich would take longer to load than the prediction that it shows.)
"""

import os
import shutil
import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

_GAP = "  "
_BOLD, _DIM, _RESET = "\x1b[1m", "\x1b[2m", "\x1b[0m"


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        title: its head.
        right: whether it is set flush right, as numbers are.
        least: characters to which it may be shortened; None: it is shown whole, whatever the width.
        spare: those with the highest number are left out first when the terminal is too narrow; 0: never.
    """

    title: str
    right: bool = False
    least: int | None = None
    spare: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """Its cells and how they are shown: `bold`, `dim` or plain."""

    cells: Sequence[str]
    style: str = ""


def print_table(columns: Sequence[Column], rows: Sequence[Row]) -> None:
    """Print on stdout, with a head when a column has a title."""
    cells = [[shown(cell) for cell in row.cells] for row in rows]
    kept = list(range(len(columns)))
    widths = [max([_width(column.title), *(_width(row[at]) for row in cells)]) for at, column in enumerate(columns)]
    if sys.stdout.isatty():
        kept, widths = _fitted(columns, widths, shutil.get_terminal_size().columns)
    if any(column.title for column in columns):
        _print_row(columns, [column.title for column in columns], kept, widths, "bold")
    for row, texts in zip(rows, cells, strict=True):
        _print_row(columns, texts, kept, widths, row.style)


def shown(text: str) -> str:
    """A text that can do nothing to a terminal: what cannot be shown is replaced."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "\ufffd" for c in text)


def _fitted(columns: Sequence[Column], widths: list[int], space: int) -> tuple[list[int], list[int]]:
    """Indexes of the columns that stay, and the width of each."""
    kept = list(range(len(columns)))
    spare = sorted((at for at in kept if columns[at].spare), key=lambda at: -columns[at].spare)
    while True:
        least = {at: min(widths[at], columns[at].least or widths[at]) for at in kept}
        too_wide = sum(widths[at] for at in kept) + len(_GAP) * (len(kept) - 1) - space
        if too_wide <= sum(widths[at] - least[at] for at in kept) or not spare:
            break
        kept.remove(spare.pop(0))
    widths = list(widths)
    for at in kept:
        cut = min(max(too_wide, 0), widths[at] - least[at])
        widths[at] -= cut
        too_wide -= cut
    return kept, widths


def _print_row(
    columns: Sequence[Column], texts: Sequence[str], kept: Sequence[int], widths: Sequence[int], style: str
) -> None:
    cells = []
    for at in kept:
        text = _shortened(texts[at], widths[at])
        padding = " " * (widths[at] - _width(text))
        cells.append(padding + text if columns[at].right else text + padding)
    line = _GAP.join(cells).rstrip()
    if style and has_colours():
        line = f"{_BOLD if style == 'bold' else _DIM}{line}{_RESET}"
    sys.stdout.write(f"{line}\n")


def has_colours() -> bool:
    """Whether stdout shows them; NO_COLOR and FORCE_COLOR are honoured."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (sys.stdout.isatty() and os.environ.get("TERM") != "dumb")


def _shortened(text: str, width: int) -> str:
    """The beginning and the end of a text that is too long: an end of a file name tells most."""
    if _width(text) <= width:
        return text
    head, tail = text, text
    while _width(head) > (width - 1) // 2:
        head = head[:-1]
    while _width(tail) > width - 1 - _width(head):
        tail = tail[1:]
    return f"{head}…{tail}"


def _width(text: str) -> int:
    """Cells that a text takes on a terminal: two for an East Asian character, none for a combining one."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )
