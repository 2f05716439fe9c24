"""Tables for people. On a terminal Rich draws them: what matters is never cut, the rest makes room for it.

In a pipe nothing is cut and there is nothing to draw, so the tenth of a second that Rich takes to load is saved.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from cvserve.texts import replace_unprintable

_GAP_CELLS = 2


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
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    widths = [
        max(cell_len(text) for text in (column.title, *(row.cells[at] for row in rows)))
        for at, column in enumerate(columns)
    ]
    console = Console(highlight=False, color_system=None if os.environ.get("NO_COLOR") else "auto")
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
    for row in rows:
        table.add_row(*(Text(_shortened(row.cells[at], widths[at])) for at in kept), style=row.style)
    console.print(table, crop=False)


def _shortened(text: str, width: int) -> str:
    """The beginning and the end of a text that is too long: an end of a file name tells most."""
    from rich.cells import cell_len, set_cell_size

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
