"""Tables for people. On a terminal Rich draws them: what matters is never cut, the rest makes room for it.

In a pipe nothing is cut and there is nothing to draw, so the tenth of a second that Rich takes to load is saved.
"""

import os
import sys
from collections.abc import Sequence

from cvserve.commands.terminal.columns import GAP_CELLS, Column, Row
from cvserve.texts import replace_unprintable


def print_table(columns: Sequence[Column], rows: Sequence[Row]) -> None:
    """Print a table on stdout, with a head when a column has a title.

    Args:
        columns: left to right.
        rows: with a cell for each column; characters that could do something to a terminal are replaced.
    """
    shown_rows = [Row([replace_unprintable(cell) for cell in row.cells], row.style) for row in rows]
    if sys.stdout.isatty() or os.environ.get("FORCE_COLOR"):
        from cvserve.commands.terminal.table_drawing import draw_table  # with Rich

        draw_table(columns, shown_rows)
        return
    head = [Row([column.title for column in columns])] if any(column.title for column in columns) else []
    widths = [max(len(row.cells[at]) for row in [*head, *shown_rows]) for at in range(len(columns))]
    for row in [*head, *shown_rows]:
        cells = (
            text.rjust(width) if column.right else text.ljust(width)
            for column, text, width in zip(columns, row.cells, widths, strict=True)
        )
        sys.stdout.write((" " * GAP_CELLS).join(cells).rstrip() + "\n")
