"""`cvserve history` and `history show ID`: what was predicted, newest first."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cvserve.commands.terminal.options import AsCsv, AsJson, AsNl, Home, find_folder, parse_option
from cvserve.commands.terminal.output import Format, choose_format, draw_bar, print_csv, print_json, say
from cvserve.commands.terminal.plain import PlainCommand, PlainGroup
from cvserve.errors import NotFound
from cvserve.store.schema import SOURCES

if TYPE_CHECKING:
    from pathlib import Path

    from cvserve.store.rows import HistoryRow

history_app = typer.Typer(cls=PlainGroup, help="What was predicted.", invoke_without_command=True)
_CSV = (
    "id", "created_at", "result", "label", "score", "model", "version", "source", "token", "client",
    "file_name", "warning", "width", "height", "format", "image_bytes", "image_sha256", "request_id",
)  # fmt: skip
_MAX_ID = 2**63 - 1


@history_app.callback()
def history(
    context: typer.Context,
    limit: Annotated[str, typer.Option("-n", "--limit", help="How many; 0 shows all.", metavar="N")] = "20",
    label: Annotated[str | None, typer.Option("--label", help="Only this label.", metavar="LABEL")] = None,
    since: Annotated[
        str | None, typer.Option("--since", help="From then on: 7d, 12h, 2026-11-23.", metavar="TIME")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", help="Before then.", metavar="TIME")] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="Only this model, by name or version.", metavar="NAME")
    ] = None,
    source: Annotated[
        str | None, typer.Option("--source", help=f"Only from: {', '.join(SOURCES)}.", metavar="SOURCE")
    ] = None,
    min_score: Annotated[
        str | None, typer.Option("--min-score", help="Only scores from here, 0 to 1.", metavar="SCORE")
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
    as_nl: AsNl = False,
    as_csv: AsCsv = False,
) -> None:
    """What was predicted here, by the server, the command line and notebooks; newest first."""
    if context.invoked_subcommand is not None:
        return
    from cvserve.values import moment, number, one_of, whole  # `--help` needs none of this

    form = choose_format(as_json=as_json, as_nl=as_nl, as_csv=as_csv)
    filters: dict[str, Any] = {"label": label, "model": model}
    typed = {
        "since": (since, moment),
        "until": (until, moment),
        "source": (source, one_of(*SOURCES)),
        "min_score": (min_score, number(0, 1)),
    }
    for name, (text, parse) in typed.items():
        filters[name] = None if text is None else parse_option(f"--{name.replace('_', '-')}", text, parse)
    filters["limit"] = parse_option("--limit", limit, whole(0, _MAX_ID)) or None
    with ExitStack() as stack:
        _print(_rows(stack, find_folder(home), filters), form)


@history_app.command("show", cls=PlainCommand)
def show(
    prediction_id: Annotated[str, typer.Argument(metavar="ID", help="As in the list.", show_default=False)],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """All that is known of one prediction."""
    from cvserve.history.history import History, history_exists
    from cvserve.values import whole

    number = parse_option("ID", prediction_id, whole(1, _MAX_ID))
    folder = find_folder(home)
    if not history_exists(folder):
        raise NotFound(f"There is no prediction {number}; there is no history in this folder.")
    with History.open(folder) as opened:
        row = opened[number]
    if as_json:
        print_json([row.to_full_dict()], Format.JSON)
    else:
        _print_one(row)


def _rows(stack: ExitStack, folder: "Path", filters: dict[str, Any]) -> "Iterator[HistoryRow]":
    """The rows as they are read, page by page; looking makes no file."""
    from cvserve.history.history import History, history_exists

    if not history_exists(folder):
        return iter(())
    return stack.enter_context(History.open(folder)).select(newest_first=True, **filters)


def _print(rows: "Iterator[HistoryRow]", form: Format) -> None:
    if form is Format.CSV:
        print_csv(_CSV, (_csv_cells(row) for row in rows))
    elif form is not Format.TABLE:
        print_json((row.to_full_dict() for row in rows), form)
    elif all_rows := list(rows):
        _print_table(all_rows)
    else:
        say("No predictions here; make one with: cvserve predict IMAGE")


def _csv_cells(row: "HistoryRow") -> list[Any]:
    flat = row.to_full_dict() | {"model": row.model["name"], "version": row.model["version"]}
    return [flat[name] for name in _CSV]


def _print_table(rows: "list[HistoryRow]") -> None:
    from cvserve.commands.terminal.table import Column, Row, print_table

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
    print_table(columns, [Row(_cells(row)) for row in rows])


def _cells(row: "HistoryRow") -> tuple[str, ...]:
    when = row.created_at[:19].replace("T", " ")
    model = f"{row.model['name']} {row.model['version'][:6]}"
    numbers = (str(row.id), when, row.label, f"{row.score:.1%}", draw_bar(row.score))
    return (*numbers, model, row.source, row.token or "–", row.file_name or "–")


def _print_one(row: "HistoryRow") -> None:
    from cvserve.commands.terminal.table import Column, Row, print_table

    rows = []
    for name, value in row.to_full_dict().items():
        if name == "top":
            rows += [(name, f"{draw_bar(entry['score'])} {entry['score']:6.1%}  {entry['label']}") for entry in row.top]
        elif isinstance(value, dict):
            rows.append((name, ", ".join(f"{key} {part}" for key, part in value.items())))
        elif value is not None:
            rows.append((name, str(value)))
    print_table((Column(""), Column("")), [Row(cells) for cells in rows])
