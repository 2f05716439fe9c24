"""What `cvserve history` shows to people: which columns, and what a narrow terminal leaves out."""

from collections.abc import Sequence

from cvserve.commands.terminal.columns import Column, Row
from cvserve.commands.terminal.output import draw_bar
from cvserve.commands.terminal.table import print_table
from cvserve.store.columns import HistoryRow


def print_predictions(rows: Sequence[HistoryRow]) -> None:
    """A line for each; in a narrow terminal the bar is left out first, then the source, the model and who asked."""
    columns = (
        Column("id", right=True),
        Column("when (UTC)"),
        Column("label"),
        Column("score", right=True),
        Column("", spare=4),
        Column("model", least=10, spare=2),
        Column("source", spare=3),
        Column("who", least=8, spare=1),
        Column("file", least=12),
    )
    print_table(columns, [Row(_list_cells(row)) for row in rows])


def print_prediction(row: HistoryRow) -> None:
    """A line for each thing that is known of one, and for each of its best classes."""
    rows = []
    for name, value in row.to_full_dict().items():
        if name == "top":
            rows += [(name, f"{draw_bar(entry['score'])} {entry['score']:6.1%}  {entry['label']}") for entry in row.top]
        elif isinstance(value, dict):
            rows.append((name, ", ".join(f"{key} {part}" for key, part in value.items())))
        elif value is not None:
            rows.append((name, str(value)))
    print_table((Column(""), Column("")), [Row(cells) for cells in rows])


def _list_cells(row: HistoryRow) -> tuple[str, ...]:
    when = row.created_at[:19].replace("T", " ")
    model = f"{row.model['name']} {row.model['version'][:6]}"
    numbers = (str(row.id), when, row.label, f"{row.score:.1%}", draw_bar(row.score))
    return (*numbers, model, row.source, row.token or "–", row.file_name or "–")
