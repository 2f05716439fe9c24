"""The rules of the house, read off the sources."""

import ast
import re
from pathlib import Path

import pytest

import cvserve

SOURCE = Path(cvserve.__file__).parent
TESTS = Path(__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
MAX_FILE_LINES = 250
MAX_FUNCTION_LINES = 60


def named(path: Path) -> str:
    return str(path.relative_to(SOURCE))


@pytest.mark.parametrize("path", FILES, ids=named)
def test_a_source_file_is_short_and_says_what_it_is(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert len(text.splitlines()) <= MAX_FILE_LINES
    assert ast.get_docstring(tree), "no docstring"
    assert not re.search(r"\b(TODO|FIXME|XXX)\b", text)
    assert path.stem not in {"utils", "util", "helpers", "common", "misc"}


@pytest.mark.parametrize("path", FILES, ids=named)
def test_a_function_fits_on_a_screen(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert (node.end_lineno or 0) - node.lineno < MAX_FUNCTION_LINES, node.name


@pytest.mark.parametrize("path", FILES, ids=named)
def test_nobody_inside_imports_from_the_door(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "cvserve":
            assert not {alias.name for alias in node.names} & set(cvserve.__all__) - {"__version__"}


@pytest.mark.parametrize("room", ["commands", "engine", "loadtest", "predictor", "server", "store"])
def test_tests_mirror_the_sources(room: Path) -> None:
    """A test file in a room is named after a source file, a folder or a subject that the room has."""
    subjects = {path.stem for path in (SOURCE / room).rglob("*.py")} | {
        path.name for path in (SOURCE / room).rglob("*") if path.is_dir()
    }
    words = {word for subject in subjects for word in subject.split("_")}
    for test in (TESTS / room).rglob("test_*.py"):
        name = test.stem.removeprefix("test_")
        assert name in subjects or set(name.split("_")) & words or test.read_text(encoding="utf-8").startswith('"""'), (
            name
        )
