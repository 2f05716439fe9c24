"""What `cvserve model inspect` and `trust` print: tables for people, JSON for programs."""

import pwd
import shlex
from collections.abc import Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from cvserve.commands.terminal.output import make_console, print_document
from cvserve.predictor.models.file import ModelFile
from cvserve.predictor.models.hidden_code import names_in
from cvserve.predictor.models.pickle_scan import PickleGlobals
from cvserve.predictor.predictor import LoadedPredictor
from cvserve.texts import list_some

_MAX_LABELS_SHOWN = 12
_ORIGIN_STYLES = {"guessed": "bold yellow", "default": "dim"}
# What runs code by its mere name; shown in red, which is a hint for the eye and no judgement.
_HARMLESS_PREFIXES = (
    "numpy.",
    "scipy.",
    "sklearn.",
    "joblib.numpy_pickle.",
    "collections.OrderedDict",
    "_codecs.encode",
)


def show_properties(
    predictor: LoadedPredictor, properties: Mapping[str, tuple[Any, str]], file: ModelFile | None, *, as_json: bool
) -> None:
    """Each property of a model, its value and where that came from, on stdout."""
    guessed = predictor.guessed
    if as_json:
        entries = {key: {"value": value, "from": origin} for key, (value, origin) in properties.items()}
        print_document({**_facts(predictor, file), "properties": entries, "guessed": list(guessed)})
        return
    table = Table("property", "value", "from", box=None, pad_edge=False, header_style="bold")
    for key, value in _facts(predictor, file).items():
        table.add_row(key, Text(_shown(value), overflow="fold"), Text("file", "default"))
    for key, (value, origin) in properties.items():
        style = _ORIGIN_STYLES.get(origin, "default")
        table.add_row(key, Text(_shown(value), style, overflow="fold"), Text(origin, style))
    make_console().print(table)
    if guessed:
        names = ", ".join(guessed)
        name = _named(predictor, file)
        make_console(stderr=True).print(
            Text(f"guessed: {names} - check with: cvserve model try {name} img.jpg", "yellow"), soft_wrap=True
        )


def show_untrusted(file: ModelFile, *, as_json: bool) -> None:
    """What can be told of a file without loading it, on stdout."""
    found = names_in(file)
    if as_json:
        facts = {
            "file": str(file.path),
            "format": file.kind.key,
            "sha256": file.sha256,
            "size_bytes": file.size,
        }
        print_document({**facts, "trusted": False, "globals": list(found.names), "complete": found.complete})
        return
    make_console().print(_risk_table(file, found))


def show_risk(file: ModelFile) -> None:
    """What a person should know before they vouch for a file, on stderr."""
    console = make_console(stderr=True)
    console.print(Text(f"'{file.path.name}' is {file.kind.title}: loading it runs whatever code is in it."))
    console.print(_risk_table(file, names_in(file)))


def _named(predictor: LoadedPredictor, file: ModelFile | None) -> str:
    """The model as it is typed: a file, a class with its weights, or the built-in one."""
    if file is None:
        return "builtin"
    said = {key: str(value) for key, (value, _) in predictor.model.origins.items() if key in ("class", "weights")}
    name = f"{file.path}:{said['class']}" if "class" in said else str(file.path)
    return shlex.quote(name) + (f" --weights {shlex.quote(said['weights'])}" if "weights" in said else "")


def _facts(predictor: LoadedPredictor, file: ModelFile | None) -> dict[str, Any]:
    info = predictor.model.info
    facts: dict[str, Any] = {"file": str(file.path) if file else "builtin", "format": info.format}
    facts["sha256"] = info.sha256
    if file is not None:
        facts["size_bytes"] = file.size
    return facts


def _risk_table(file: ModelFile, found: PickleGlobals) -> Table:
    table = Table.grid(padding=(0, 2))
    names = Text()
    for name in found.names:
        names.append(f"{name}\n", "default" if name.startswith(_HARMLESS_PREFIXES) else "bold red")
    if not found.complete:
        names.append("it cannot be read to its end: there may be more", "yellow")
    table.add_row("file", Text(str(file.path), overflow="fold"))
    table.add_row("format", file.kind.key)
    table.add_row("sha256", Text(file.sha256, "bold", overflow="fold"))
    table.add_row("size", f"{file.size:,} bytes")
    table.add_row("owner", f"{_owner(file.owner)}, mode {file.mode:04o}")
    table.add_row("imports", names)
    return table


def _owner(user_id: int) -> str:
    try:
        return pwd.getpwuid(user_id).pw_name
    except KeyError:
        return str(user_id)


def _shown(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return list_some(map(str, value), _MAX_LABELS_SHOWN)
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return f"{value:.8g}" if isinstance(value, float) else str(value)
