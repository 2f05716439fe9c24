"""`cvserve predict IMAGE…`: the answer in the terminal, offline, in the same history."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cvserve.answer import order_members
from cvserve.commands.terminal.options import AsJson, AsNl, Home
from cvserve.commands.terminal.output import Format, choose_format, draw_bar, print_json, say, say_cause
from cvserve.errors import CvserveError

if TYPE_CHECKING:
    from cvserve.commands.terminal.pictures import Picture
    from cvserve.history.history import History
    from cvserve.predictor.prediction import Prediction
    from cvserve.predictor.predictor import Predictor
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
        added = {} if self.stored is None else self.stored._asdict()
        return {"file": self.name} | order_members(self.outcome.to_dict() | added)


def predict(
    images: Annotated[
        list[str], typer.Argument(metavar="IMAGE", help="Files, folders, or - for stdin.", show_default=False)
    ],
    model: Annotated[
        str | None, typer.Option("--model", help="Model file; default: as for serve.", metavar="FILE")
    ] = None,
    weights: Annotated[
        str | None, typer.Option("--weights", help="Weights of the model's class.", metavar="FILE")
    ] = None,
    model_config: Annotated[
        str | None, typer.Option("--model-config", help="Another model.toml.", metavar="FILE")
    ] = None,
    model_sha256: Annotated[
        str | None, typer.Option("--model-sha256", help="Load only a file with this hash.", metavar="HEX")
    ] = None,
    compile: Annotated[  # noqa: A002 - the setting's name
        str | None, typer.Option("--compile", help="Run estimators as ONNX: auto, never or require.", metavar="MODE")
    ] = None,
    top_k: Annotated[str | None, typer.Option("--top-k", help="Classes to show.", metavar="K")] = None,
    home: Home = None,
    no_history: Annotated[bool, typer.Option("--no-history", help="Store nothing.")] = False,
    as_json: AsJson = False,
    as_nl: AsNl = False,
) -> None:
    """Classify pictures, here and now, without a server."""
    from cvserve.commands.loading import load_for_command  # `--help` needs none of this
    from cvserve.commands.terminal.pictures import find_pictures
    from cvserve.configuration import load_configuration

    form = choose_format(as_json=as_json, as_nl=as_nl)
    flags = {
        "model": model,
        "weights": weights,
        "model_config": model_config,
        "model_sha256": model_sha256,
        "compile": compile,
        "top_k": top_k,
        "home": home,
    }
    settings = load_configuration(flags).settings
    todo = find_pictures(images)
    predictor = load_for_command(settings)
    with ExitStack() as stack:
        history = None if no_history else stack.enter_context(_open_history(settings.database_path))
        lines = _answered(predictor, todo, settings.top_k, history)
        failed = _print_lines(lines, form)
    raise typer.Exit(1 if failed else 0)


def _open_history(database: Path) -> "History":
    from cvserve.history.history import History

    return History.open(database)


def _answered(
    predictor: "Predictor", todo: Sequence["Picture"], top_k: int, history: "History | None"
) -> Iterator[Line]:
    """Batch by batch: one model call and one commit each."""
    from cvserve.commands.terminal.progress import show_progress

    with show_progress(len(todo), is_long=len(todo) >= _PROGRESS_FROM) as advance:
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


def _print_lines(lines: Iterator[Line], form: Format) -> bool:
    """Print them all; whether one failed."""
    failed: list[tuple[str, CvserveError]] = []

    def seen() -> Iterator[Line]:
        for line in lines:
            if isinstance(line.outcome, CvserveError):
                failed.append((line.name, line.outcome))
            yield line

    if form is not Format.TABLE:
        print_json((line.to_dict() for line in seen()), form)
        for name, error in failed:
            say_cause(error, f"{name}: ")
        return bool(failed)
    _print_table([line for line in seen() if not isinstance(line.outcome, CvserveError)])
    for name, error in failed:
        say(f"cvserve: {name}: {error.detail}")
        say_cause(error, f"{name}: ")
    return bool(failed)


def _print_table(lines: Sequence[Line]) -> None:
    if not lines:
        return
    from cvserve.commands.terminal.table import Column, Row, print_table

    one = len(lines) == 1
    rows = []
    for line in lines:
        prediction = line.outcome
        assert not isinstance(prediction, CvserveError)
        first = (str(line.stored.id) if line.stored else "–", line.name)
        for rank, entry in enumerate(prediction.top if one else prediction.top[:1]):
            cells = (*(first if rank == 0 else ("", "")), entry.label, f"{entry.score:.1%}", draw_bar(entry.score))
            rows.append(Row(cells, "bold" if rank == 0 and one else "dim" if rank else ""))
        if prediction.warning:
            say(f"cvserve: {line.name}: {prediction.warning}")
    columns = (
        Column("id", right=True),
        Column("file", least=16),
        Column("label"),
        Column("score", right=True),
        Column("", spare=1),
    )
    print_table(columns, rows)
