"""Tables for people. On a terminal Rich draws them: what matters is never cut, the rest makes room for it.

In a pipe nothing is cut and there is nothing to draw, so the tenth of a second that Rich takes to load is saved.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from cvserve.commands.terminal.output import make_console
from cvserve.texts import replace_unprintable

_GAP_CELLS = 2


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table, and what may be done to it where the terminal is too narrow.

    Attributes:
        title: its head; the table has no line of heads when all are empty.
        right: whether it is set flush right, as numbers are.
        least: width in cells down to which its texts may be shortened; None: never.
        spare: columns with the highest number are left out first; 0: never.
    """

    title: str
    right: bool = False
    least: int | None = None
    spare: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table.

    Attributes:
        cells: its texts, one a column.
        style: `bold`, `dim`, or empty for neither.
    """

    cells: Sequence[str]
    style: str = ""


def print_table(columns: Sequence[Column], rows: Sequence[Row]) -> None:
    """Print a table on stdout, with a head when a column has a title.

    Args:
        columns: left to right.
        rows: with a cell for each column; characters that could do something to a terminal are replaced.
    """
    shown_rows = [Row([replace_unprintable(cell) for cell in row.cells], row.style) for row in rows]
    if sys.stdout.isatty() or os.environ.get("FORCE_COLOR"):
        _draw(columns, shown_rows)
        return
    head = [Row([column.title for column in columns])] if any(column.title for column in columns) else []
    widths = [max(len(row.cells[at]) for row in [*head, *shown_rows]) for at in range(len(columns))]
    for row in [*head, *shown_rows]:
        cells = (
            text.rjust(width) if column.right else text.ljust(width)
            for column, text, width in zip(columns, row.cells, widths, strict=True)
        )
        sys.stdout.write((" " * _GAP_CELLS).join(cells).rstrip() + "\n")


def _draw(columns: Sequence[Column], rows: Sequence[Row]) -> None:
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    widths = [
        max(cell_len(text) for text in (column.title, *(row.cells[at] for row in rows)))
        for at, column in enumerate(columns)
    ]
    console = make_console()
    kept = _choose_columns(columns, widths, console.width)
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
    for row in rows:
        table.add_row(*(Text(_shorten(row.cells[at], widths[at])) for at in kept), style=row.style)
    console.print(table, crop=False)


def _shorten(text: str, width: int) -> str:
    """Cut the middle out of a text that is too long: the end of a file name tells most."""
    from rich.cells import cell_len, set_cell_size

    if cell_len(text) <= width:
        return text
    tail = width // 2
    while cell_len(text[-tail:]) > width // 2:
        tail -= 1
    return f"{set_cell_size(text, width - 1 - cell_len(text[-tail:])).rstrip()}…{text[-tail:]}"


def _choose_columns(columns: Sequence[Column], widths: Sequence[int], space: int) -> list[int]:
    """Indexes of the columns for which there is room when each is as short as it may be."""
    kept = list(range(len(columns)))
    for at in sorted((at for at in kept if columns[at].spare), key=lambda at: -columns[at].spare):
        least = sum(min(widths[at], columns[at].least or widths[at]) for at in kept)
        if least + _GAP_CELLS * (len(kept) - 1) <= space:
            break
        kept.remove(at)
    return kept
