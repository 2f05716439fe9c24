"""The options of `cvserve history` and `history show ID`."""

from typing import Annotated

import typer

from cvserve.commands.terminal.options import AsCsv, AsJson, AsNl, Home
from cvserve.commands.terminal.plain import PlainCommand, PlainGroup
from cvserve.store.sources import SOURCES

history_app = typer.Typer(cls=PlainGroup, help="What was predicted.", invoke_without_command=True)


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
    from cvserve.commands.history.listing import list_predictions  # the command line starts fast

    filters = {"label": label, "model": model, "source": source, "min_score": min_score, "since": since, "until": until}
    list_predictions(home, limit, filters, as_json=as_json, as_nl=as_nl, as_csv=as_csv)


@history_app.command("show", cls=PlainCommand)
def show(
    prediction_id: Annotated[str, typer.Argument(metavar="ID", help="As in the list.", show_default=False)],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """All that is known of one prediction."""
    from cvserve.commands.history.listing import show_prediction  # the command line starts fast

    show_prediction(home, prediction_id, as_json=as_json)
