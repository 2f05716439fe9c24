"""What can be found out about a file in which code can hide, without loading it: for who decides about trust."""

import pwd

from rich.table import Table
from rich.text import Text

from cvserve.commands.terminal.output import make_console, print_document
from cvserve.predictor.models.code.hidden_code import find_foreign_names, find_names, has_names
from cvserve.predictor.models.files.file import ModelFile
from cvserve.predictor.models.files.pickle_scan import PickleGlobals

# What runs code by its mere name; shown in red, which is a hint for the eye and no judgement.
_HARMLESS_PREFIXES = (
    "numpy.",
    "scipy.",
    "sklearn.",
    "joblib.numpy_pickle.",
    "collections.OrderedDict",
    "_codecs.encode",
)


def show_untrusted(file: ModelFile, *, as_json: bool) -> None:
    """Print file, format, hash and what its code would import, on stdout; nothing in it is run."""
    if as_json:
        found = find_names(file) if has_names(file) else PickleGlobals((), complete=False)
        facts = {
            "file": str(file.path),
            "format": file.kind.key,
            "sha256": file.code_sha256,
            "size_bytes": file.size,
        }
        print_document({**facts, "trusted": False, "globals": list(found.names), "complete": found.complete})
        return
    make_console().print(_risk_table(file, find_foreign_names(file)))


def show_risk(file: ModelFile) -> None:
    """Print the same on stderr, with a sentence that says what loading the file means; the question follows."""
    console = make_console(stderr=True)
    console.print(Text(f"'{file.path.name}' is {file.kind.title}: loading it runs whatever code is in it."))
    console.print(_risk_table(file, find_foreign_names(file)))


def _risk_table(file: ModelFile, found: PickleGlobals) -> Table:
    table = Table.grid(padding=(0, 2))
    names = Text()
    for name in found.names:
        names.append(f"{name}\n", "default" if name.startswith(_HARMLESS_PREFIXES) else "bold red")
    if not found.complete:
        names.append("it cannot be read to its end: there may be more", "yellow")
    table.add_row("file", Text(str(file.path), overflow="fold"))
    table.add_row("format", file.kind.key)
    table.add_row("sha256", Text(file.code_sha256, "bold", overflow="fold"))
    table.add_row("size", f"{file.size:,} bytes")
    table.add_row("owner", f"{_owner(file.owner)}, mode {file.mode:04o}")
    if has_names(file):
        table.add_row("imports", names)
    return table


def _owner(user_id: int) -> str:
    try:
        return pwd.getpwuid(user_id).pw_name
    except KeyError:
        return str(user_id)
