"""A table as Rich draws it on a terminal; in a module of its own, since Rich takes a tenth of a second to load."""

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size
from rich.table import Table
from rich.text import Text

from cvserve.commands.terminal.columns import GAP_CELLS, Column, Row
from cvserve.commands.terminal.output import make_console


def draw_table(columns: Sequence[Column], rows: Sequence[Row]) -> None:
    """Draw a table on stdout, as wide as the terminal at the most.

    What has no room is left out or shortened, as each column says; colours are those of the terminal.

    Args:
        columns: left to right.
        rows: with a cell for each column, safe to print.
    """
    widths = [
        max(cell_len(text) for text in (column.title, *(row.cells[at] for row in rows)))
        for at, column in enumerate(columns)
    ]
    console = make_console()
    kept = _choose_columns(columns, widths, console.width)
    table = Table(
        box=None,
        pad_edge=False,
        padding=(0, GAP_CELLS, 0, 0),
        collapse_padding=True,
        show_header=any(column.title for column in columns),
    )
    too_wide = sum(widths[at] + GAP_CELLS for at in kept) - GAP_CELLS - console.width
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
        if least + GAP_CELLS * (len(kept) - 1) <= space:
            break
        kept.remove(at)
    return kept
