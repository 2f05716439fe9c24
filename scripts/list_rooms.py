"""The list of rooms in `docs/architecture.md`: every file of the sources with what its docstring says first."""

import ast
import textwrap
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parent.parent / "src" / "cvserve"
_BEGIN, _END = "<!-- rooms -->\n", "<!-- /rooms -->"
_LINE = 120
# From the outside in, as imports point; what is not named here follows.
_ROOMS = ("", "commands", "server", "loadtest", "engine", "history", "predictor", "store", "logs")


def with_rooms(page: str) -> str:
    """The page with the list between its two markers made anew."""
    head, _, rest = page.partition(_BEGIN)
    _, _, tail = rest.partition(_END)
    return f"{head}{_BEGIN}{''.join(room_lines())}{_END}{tail}"


def room_lines() -> Iterator[str]:
    """A heading for each folder, with what it is for, and a line for each of its files."""
    folders = {path.parent for path in SOURCE.rglob("*.py")}
    for folder in sorted(folders, key=_place_of):
        room = folder.relative_to(SOURCE)
        yield f"\n### `{room}/`\n\n" if room.parts else "\n### `cvserve/`\n\n"
        if (folder / "__init__.py").exists():
            yield f"{first_sentences(folder / '__init__.py')}\n\n"
        for path in sorted(folder.glob("*.py")):
            if path.name != "__init__.py":
                line = f"- `{path.name}`: {first_sentences(path)}"
                yield textwrap.fill(line, _LINE, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
                yield "\n"
    yield "\n"


def first_sentences(path: Path) -> str:
    """The first paragraph of a file's docstring, in one line."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(docstring.split("\n\n")[0].split())


def _place_of(folder: Path) -> tuple[int, Path]:
    room = folder.relative_to(SOURCE)
    first = room.parts[0] if room.parts else ""
    return (_ROOMS.index(first) if first in _ROOMS else len(_ROOMS), room)
