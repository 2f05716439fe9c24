"""What `cvserve model inspect` prints of a model: a table for people, JSON for programs."""

from typing import Any

from rich.table import Table
from rich.text import Text

from cvserve.commands.terminal.output import make_console, print_document
from cvserve.predictor.models.files.file import ModelFile
from cvserve.predictor.predictor import LoadedPredictor
from cvserve.predictor.properties import Properties
from cvserve.texts import list_some, replace_unprintable
from cvserve.values import BUILTIN_MODEL

_MAX_LABELS_SHOWN = 12
_ORIGIN_STYLES = {"guessed": "bold yellow", "default": "dim"}


def show_properties(
    predictor: LoadedPredictor, properties: Properties, file: ModelFile | None, *, as_json: bool
) -> None:
    """Print each property of a model, its value and where that came from, on stdout.

    Args:
        predictor: the model.
        properties: all of them, as `collect_properties` gives them.
        file: of the model; None: the built-in one.
        as_json: one object instead of a table.
    """
    facts = _describe_file(predictor, file)
    if as_json:
        entries = {key: {"value": value, "from": origin} for key, (value, origin) in properties.items()}
        parts = dict(predictor.model.parts)
        print_document({**facts, "parts": parts, "properties": entries, "guessed": list(predictor.guessed)})
        return
    facts |= {f"sha256 of {name}": sha256 for name, sha256 in predictor.model.parts}
    table = Table("property", "value", "from", box=None, pad_edge=False, header_style="bold")
    for key, value in facts.items():
        table.add_row(key, Text(_to_text(value), overflow="fold"), Text("file", "default"))
    for key, (value, origin) in properties.items():
        style = _ORIGIN_STYLES.get(origin, "default")
        table.add_row(key, Text(_to_text(value), style, overflow="fold"), Text(origin, style))
    make_console().print(table)


def show_guesses(line: str) -> None:
    """Print the line about guesses on stderr; on a terminal it is as yellow as they are in the table.

    Args:
        line: as `describe_guesses` gives it.
    """
    make_console(stderr=True).print(Text(replace_unprintable(line), "yellow"), soft_wrap=True)


def _describe_file(predictor: LoadedPredictor, file: ModelFile | None) -> dict[str, Any]:
    info = predictor.model.info
    facts: dict[str, Any] = {
        "file": str(file.path) if file else BUILTIN_MODEL,
        "format": info.format,
        "version": info.version,
        # Of the file alone: what `cvserve model trust` and `--model-sha256` are about.
        "sha256": file.code_sha256 if file else info.sha256,
    }
    if file is not None:
        facts["size_bytes"] = file.size
    return facts


def _to_text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return list_some(map(str, value), _MAX_LABELS_SHOWN)
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return f"{value:.8g}" if isinstance(value, float) else str(value)
