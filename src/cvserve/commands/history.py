"""`cvserve history` and `history show ID`: what was predicted, newest first."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cvserve.commands.options import AsCsv, AsJson, AsNl, Home, home_folder
from cvserve.commands.output import Format, bar, chosen, console, print_csv, print_json, say
from cvserve.errors import InvalidSetting, NotFound
from cvserve.store.schema import SOURCES

if TYPE_CHECKING:
    from cvserve.store.rows import HistoryRow

history_app = typer.Typer(help="What was predicted.", invoke_without_command=True)
_CSV = (
    "id", "created_at", "result", "label", "score", "model", "version", "source", "token", "client",
    "file_name", "warning", "width", "height", "format", "image_bytes", "image_sha256", "request_id",
)  # fmt: skip


@history_app.callback()
def history(
    context: typer.Context,
    limit: Annotated[int, typer.Option("-n", "--limit", help="How many; 0 shows all.", metavar="N")] = 20,
    label: Annotated[str | None, typer.Option("--label", help="Only this label.")] = None,
    since: Annotated[str | None, typer.Option("--since", help="From then on: 7d, 12h, 2026-11-23.")] = None,
    until: Annotated[str | None, typer.Option("--until", help="Before then.")] = None,
    model: Annotated[str | None, typer.Option("--model", help="Only this model, by name or version.")] = None,
    source: Annotated[str | None, typer.Option("--source", help=f"Only from: {', '.join(SOURCES)}.")] = None,
    min_score: Annotated[float | None, typer.Option("--min-score", help="Only scores from here, 0 to 1.")] = None,
    home: Home = None,
    as_json: AsJson = False,
    as_nl: AsNl = False,
    as_csv: AsCsv = False,
) -> None:
    """What was predicted here, by the server, the command line and notebooks; newest first."""
    if context.invoked_subcommand is not None:
        return
    form = chosen(as_json=as_json, as_nl=as_nl, as_csv=as_csv)
    filters: dict[str, Any] = {"label": label, "model": model, "source": source, "min_score": min_score}
    filters |= {"since": _moment("--since", since), "until": _moment("--until", until)}
    _check(limit, source, min_score)
    rows = _rows(home_folder(home), limit or None, filters)
    if form is Format.CSV:
        print_csv(_CSV, [_csv_cells(row) for row in rows])
    elif form is not Format.TABLE:
        print_json([row.to_full_dict() for row in rows], form)
    elif rows:
        _print_table(rows)
    else:
        say("No predictions yet; make one with: cvserve predict IMAGE")


@history_app.command("show")
def show(
    prediction_id: Annotated[int, typer.Argument(metavar="ID", help="As in the list.", show_default=False)],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """All that is known of one prediction."""
    from cvserve.recording import History, history_exists

    folder = home_folder(home)
    if not history_exists(folder):
        raise NotFound(f"There is no prediction {prediction_id}; there is no history in this folder.")
    with History.open(folder) as opened:
        row = opened[prediction_id]
    if as_json:
        print_json([row.to_full_dict()], Format.JSON)
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in row.to_full_dict().items():
        if name == "top":
            for entry in row.top:
                table.add_row("top", Text(f"{bar(entry['score'])} {entry['score']:7.2%}  {entry['label']}"))
        elif value is not None:
            shown = ", ".join(f"{key} {part}" for key, part in value.items()) if isinstance(value, dict) else value
            table.add_row(name, Text(str(shown)))
    console().print(table)


def _rows(folder: Any, limit: int | None, filters: dict[str, Any]) -> "list[HistoryRow]":
    from cvserve.recording import History, history_exists  # `--help` needs none of this

    if not history_exists(folder):
        return []
    with History.open(folder) as opened:
        return opened.rows(limit=limit, newest_first=True, **filters)


def _check(limit: int, source: str | None, min_score: float | None) -> None:
    if limit < 0:
        raise InvalidSetting(f"--limit is {limit}; give 0 for all, or a number of rows.")
    if source is not None and source not in SOURCES:
        raise InvalidSetting(f"--source is '{source}'; take one of {', '.join(SOURCES)}.")
    if min_score is not None and not 0 <= min_score <= 1:
        raise InvalidSetting(f"--min-score is {min_score}; give a number from 0 to 1.")


def _moment(option: str, text: str | None) -> str | None:
    if text is None:
        return None
    from cvserve.store.rows import timestamp
    from cvserve.values import moment

    try:
        return timestamp(moment(text))
    except ValueError as error:
        raise InvalidSetting(f"{option} is '{text}': {error}.") from None


def _csv_cells(row: "HistoryRow") -> list[Any]:
    flat = row.to_full_dict() | {"model": row.model["name"], "version": row.model["version"]}
    return [flat[name] for name in _CSV]


def _print_table(rows: "Sequence[HistoryRow]") -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for title in ("id", "when (UTC)", "label", "score", "", "model", "source", "who", "file"):
        table.add_column(title, justify="right" if title in ("id", "score") else "left", no_wrap=title != "file")
    for row in rows:
        when = row.created_at[:19].replace("T", " ")
        model = f"{row.model['name']} {row.model['version'][:6]}"
        cells = (str(row.id), when, row.label, f"{row.score:.1%}", bar(row.score), model, row.source)
        table.add_row(*(Text(cell) for cell in (*cells, row.token or "–", row.file_name or "–")))
    console().print(table)
