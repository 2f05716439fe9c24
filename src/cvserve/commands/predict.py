"""`cvserve predict IMAGE…`: the answer in the terminal, offline, in the same history."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cvserve.commands.options import AsJson, AsNl, Home
from cvserve.commands.output import Format, bar, chosen, console, print_json, say
from cvserve.errors import CvserveError

if TYPE_CHECKING:
    from cvserve.commands.pictures import Picture
    from cvserve.predictor.prediction import Prediction
    from cvserve.predictor.predictor import Predictor
    from cvserve.recording import History
    from cvserve.store.rows import Stored

_BATCH = 64
_PROGRESS_FROM = 100


@dataclass(frozen=True, slots=True)
class Line:
    """One picture and what came of it."""

    name: str
    outcome: "Prediction | CvserveError"
    stored: "Stored | None" = None

    def to_dict(self) -> dict[str, Any]:
        """`file` first, then `id` when stored; of a failed one `file`, `error`, `code`."""
        if isinstance(self.outcome, CvserveError):
            return {"file": self.name, "error": self.outcome.detail, "code": self.outcome.code}
        head: dict[str, Any] = {"file": self.name}
        if self.stored is not None:
            head["id"] = self.stored.id
        body = self.outcome.to_dict()
        if self.stored is not None:
            body["created_at"] = self.stored.created_at
        return head | body


def predict(
    images: Annotated[
        list[str], typer.Argument(metavar="IMAGE…", help="Files, folders, or - for stdin.", show_default=False)
    ],
    model: Annotated[
        str | None, typer.Option("--model", help="Model file; default: as for serve.", metavar="FILE")
    ] = None,
    model_config: Annotated[
        str | None, typer.Option("--model-config", help="Another model.toml.", metavar="FILE")
    ] = None,
    model_sha256: Annotated[
        str | None, typer.Option("--model-sha256", help="Load only a file with this hash.", metavar="HEX")
    ] = None,
    top_k: Annotated[str | None, typer.Option("--top-k", help="Classes to show.", metavar="K")] = None,
    home: Home = None,
    no_history: Annotated[bool, typer.Option("--no-history", help="Store nothing.")] = False,
    as_json: AsJson = False,
    as_nl: AsNl = False,
) -> None:
    """Classify pictures, here and now, without a server."""
    from cvserve.commands.models import load_for_command  # `--help` needs none of this
    from cvserve.commands.pictures import pictures
    from cvserve.configuration import load_configuration

    form = chosen(as_json=as_json, as_nl=as_nl)
    flags = {"model": model, "model_config": model_config, "model_sha256": model_sha256, "top_k": top_k, "home": home}
    settings = load_configuration(flags).settings
    todo = pictures(images)
    predictor = load_for_command(settings)
    with ExitStack() as stack:
        history = None if no_history else stack.enter_context(_open_history(settings.home))
        lines = _answered(predictor, todo, settings.top_k, history)
        shown = _print_as_they_come(lines, form) if form is Format.NL else _print_all(list(lines), form)
    raise typer.Exit(1 if shown.failed else 0)


@dataclass(slots=True)
class _Shown:
    failed: int = 0


def _open_history(home: Path) -> "History":
    from cvserve.recording import History

    home.mkdir(parents=True, exist_ok=True)
    return History.open(home)


def _answered(
    predictor: "Predictor", todo: Sequence["Picture"], top_k: int, history: "History | None"
) -> Iterator[Line]:
    """Batch by batch: one model call and one commit each."""
    from cvserve.commands.progress import progress

    with progress(len(todo), shown=len(todo) >= _PROGRESS_FROM) as advance:
        for start in range(0, len(todo), _BATCH):
            batch = todo[start : start + _BATCH]
            outcomes = predictor.outcomes([entry.source for entry in batch], top_k=top_k, keep_source=False)
            yield from _stored(batch, outcomes, history)
            advance(len(batch))


def _stored(
    batch: Sequence["Picture"], outcomes: Sequence["Prediction | CvserveError"], history: "History | None"
) -> Iterator[Line]:
    good = [
        (entry.name, outcome)
        for entry, outcome in zip(batch, outcomes, strict=True)
        if not isinstance(outcome, CvserveError)
    ]
    stored = iter(
        history.add_many([outcome for _, outcome in good], source="cli", file_names=[name for name, _ in good])
        if history is not None
        else ()
    )
    for entry, outcome in zip(batch, outcomes, strict=True):
        is_stored = history is not None and not isinstance(outcome, CvserveError)
        yield Line(entry.name, outcome, next(stored) if is_stored else None)


def _print_as_they_come(lines: Iterator[Line], form: Format) -> _Shown:
    shown = _Shown()
    for line in lines:
        shown.failed += isinstance(line.outcome, CvserveError)
        print_json([line.to_dict()], form)
    return shown


def _print_all(lines: Sequence[Line], form: Format) -> _Shown:
    if form is Format.JSON:
        print_json([line.to_dict() for line in lines], form)
    else:
        _print_table([line for line in lines if not isinstance(line.outcome, CvserveError)])
        for line in lines:
            if isinstance(line.outcome, CvserveError):
                say(f"cvserve: {line.name}: {line.outcome.detail}")
    return _Shown(sum(isinstance(line.outcome, CvserveError) for line in lines))


def _print_table(lines: Sequence[Line]) -> None:
    if not lines:
        return
    from rich.table import Table
    from rich.text import Text

    one = len(lines) == 1
    table = Table(box=None, pad_edge=False)
    for title in ("id", "file", "label", "score", ""):
        table.add_column(title, justify="right" if title in ("id", "score") else "left", overflow="fold")
    for line in lines:
        prediction = line.outcome
        if isinstance(prediction, CvserveError):
            continue
        for rank, entry in enumerate(prediction.top if one else prediction.top[:1]):
            style = "bold" if rank == 0 else "dim"
            first = (str(line.stored.id) if line.stored else "–", line.name) if rank == 0 else ("", "")
            cells = (*first, entry.label, f"{entry.score:.1%}", bar(entry.score))
            table.add_row(*(Text(cell, style=style) for cell in cells))
        if prediction.warning:
            sys.stderr.write(f"cvserve: {line.name}: {prediction.warning}\n")
    console().print(table)
