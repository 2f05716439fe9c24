"""Tables for people, by Rich: what matters is never cut, the rest makes room for it; in a pipe nothing is cut."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cvserve.commands.output import shown

_GAP_CELLS = 2
_NO_LIMIT_CELLS = 100_000


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        title: its head.
        right: whether it is set flush right, as numbers are.
        least: cells to which it may be shortened; None: it is shown whole, whatever the width.
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
    texts = [[shown(cell) for cell in row.cells] for row in rows]
    widths = [
        max(cell_len(text) for text in (column.title, *cells)) for column, *cells in zip(columns, *texts, strict=True)
    ]
    # Rich would fold lines at 80 cells where no terminal says how wide it is.
    console = Console(
        highlight=False,
        width=None if sys.stdout.isatty() else _NO_LIMIT_CELLS,
        color_system=None if os.environ.get("NO_COLOR") else "auto",
    )
    kept = _kept(columns, widths, console.width)
    table = Table(
        box=None,
        pad_edge=False,
        padding=(0, _GAP_CELLS, 0, 0),
        collapse_padding=True,
        show_header=any(column.title for column in columns),
    )
    too_wide = sum(widths[at] + _GAP_CELLS for at in kept) - _GAP_CELLS - console.width
    for at in kept:
        column = columns[at]
        cut = min(max(too_wide, 0), max(0, widths[at] - (column.least or widths[at])))
        widths[at], too_wide = widths[at] - cut, too_wide - cut
        table.add_column(column.title, justify="right" if column.right else "left", no_wrap=True, min_width=widths[at])
    for row, cells in zip(rows, texts, strict=True):
        table.add_row(*(Text(_shortened(cells[at], widths[at])) for at in kept), style=row.style)
    console.print(table, crop=False)


def _shortened(text: str, width: int) -> str:
    """The beginning and the end of a text that is too long: an end of a file name tells most."""
    if cell_len(text) <= width:
        return text
    tail = width // 2
    while cell_len(text[-tail:]) > width // 2:
        tail -= 1
    return f"{set_cell_size(text, width - 1 - cell_len(text[-tail:])).rstrip()}…{text[-tail:]}"


def _kept(columns: Sequence[Column], widths: Sequence[int], space: int) -> list[int]:
    """Indexes of the columns for which there is room when all are as short as they may be."""
    kept = list(range(len(columns)))
    for at in sorted((at for at in kept if columns[at].spare), key=lambda at: -columns[at].spare):
        least = sum(min(widths[at], columns[at].least or widths[at]) for at in kept)
        if least + _GAP_CELLS * (len(kept) - 1) <= space:
            break
        kept.remove(at)
    return kept
