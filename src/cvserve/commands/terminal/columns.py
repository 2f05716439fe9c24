"""What a table is made of: columns and rows of texts."""

from collections.abc import Sequence
from dataclasses import dataclass

GAP_CELLS = 2  # between two columns


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
