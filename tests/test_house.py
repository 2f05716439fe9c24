"""The rules of the house, read off the sources."""

import ast
import re
from pathlib import Path

import pytest

import cvserve
import measure_house
from support.house import ELSEWHERE, ROOMS_OF_THEIR_OWN, SUBJECTS
from support.pages import ROOT

SOURCE = Path(cvserve.__file__).parent
TESTS = Path(__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
ROOMS = {path.parent.relative_to(SOURCE) for path in FILES}
TEST_FILES = sorted(path.relative_to(TESTS) for path in TESTS.rglob("test_*.py"))
MAX_FILE_LINES = 250
MAX_FUNCTION_LINES = 60
# A file of fewer lines may be tested by whoever uses it, without a word about it.
SMALL_FILE_LINES = 60
MAX_PROSE_COLUMNS = 120
LIMITS = {
    "arrows between the rooms of predictor/": 55,
    "flat files in predictor/": 14,
    "imports inside functions": 40,
    "functions named by a participle": 10,
}
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted(
        path for folder in ("docs", "examples", "training", "benchmarks") for path in (ROOT / folder).rglob("*.md")
    ),
]


def shorten(path: Path) -> str:
    return str(path.relative_to(SOURCE))


@pytest.mark.parametrize("path", FILES, ids=shorten)
def test_a_source_file_is_short_and_says_what_it_is(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert len(text.splitlines()) <= MAX_FILE_LINES
    assert ast.get_docstring(tree), "no docstring"
    assert not re.search(r"\b(TODO|FIXME|XXX)\b", text)
    assert path.stem not in {"utils", "util", "helpers", "common", "misc"}


@pytest.mark.parametrize("path", FILES, ids=shorten)
def test_a_function_fits_on_a_screen(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert (node.end_lineno or 0) - node.lineno < MAX_FUNCTION_LINES, node.name


@pytest.mark.parametrize("path", FILES, ids=shorten)
def test_nobody_inside_imports_from_the_door(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "cvserve":
            assert not {alias.name for alias in node.names} & set(cvserve.__all__) - {"__version__"}


@pytest.mark.parametrize("figure", LIMITS)
def test_what_is_counted_stays_small(figure: str) -> None:
    found = measure_house.FIGURES[figure]()
    assert len(found) <= LIMITS[figure], "\n".join(found)


@pytest.mark.parametrize("test", TEST_FILES, ids=str)
def test_a_test_is_named_after_what_it_tests(test: Path) -> None:
    """It stands in the same room under the name of a file or folder, or in the table of subjects."""
    named_after = test.parent / test.stem.removeprefix("test_")
    mirrors = (SOURCE / named_after).is_dir() or (SOURCE / named_after).with_suffix(".py").is_file()
    is_subject = str(test) in SUBJECTS or test.parts[0] in ROOMS_OF_THEIR_OWN
    assert mirrors != is_subject, f"tests/{test}: rename it, move it, or say in tests/support/house.py what it is about"


@pytest.mark.parametrize("path", FILES, ids=shorten)
def test_a_source_file_has_a_test(path: Path) -> None:
    """Under its own name or its folder's, or in the table of those that are tested through another door."""
    name = path.relative_to(SOURCE)
    has_own = (TESTS / name).with_name(f"test_{name.name}").is_file()
    of_folder = (TESTS / name.parent).with_name(f"test_{name.parent.name}.py").is_file()
    if name.as_posix() in ELSEWHERE:
        assert not has_own, f"{name} has a test of its own now; take it out of ELSEWHERE in tests/support/house.py"
    elif name.name != "__init__.py" and len(path.read_text(encoding="utf-8").splitlines()) >= SMALL_FILE_LINES:
        doors = [folder for folder in ELSEWHERE if folder.endswith("/") and name.as_posix().startswith(folder)]
        assert has_own or of_folder or doors, f"nobody says how {name} is tested; see tests/support/house.py"


@pytest.mark.parametrize("source", ELSEWHERE)
def test_what_is_tested_through_another_door_is_there_and_so_is_the_door(source: str) -> None:
    assert (SOURCE / source).exists()
    for test in ELSEWHERE[source]:
        assert (TESTS / test).is_file()


@pytest.mark.parametrize("test", SUBJECTS)
def test_a_subject_is_a_test(test: str) -> None:
    assert (TESTS / test).is_file()


@pytest.mark.parametrize("page", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_a_file_that_a_page_names_is_there(page: str) -> None:
    """And so is what is named after its colon."""
    text, _, _ = (ROOT / page).read_text(encoding="utf-8").partition("<!-- rooms -->")
    for named, name in re.findall(r"`([\w/]+(?:\.py|/))(?:: ?(\w+))?`", text):
        files = [path for path in FILES if f"/{shorten(path)}".endswith(f"/{named}")]
        files += [ROOT / named] if (ROOT / named).is_file() else []
        assert files or (ROOT / named).exists() or is_folder(named), named
        assert not name or any(name in list_names(path) for path in files), f"{named}: {name}"


def list_names(path: Path) -> set[str]:
    """Whatever a file defines at its top: classes, functions, values."""
    names: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            names.add(node.name)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names


def is_folder(named: str) -> bool:
    return any(f"/{room}/".endswith(f"/{named}") for room in ROOMS) or named == "cvserve/"


def test_every_file_is_in_the_list_of_rooms() -> None:
    _, _, rooms = (ROOT / "docs/architecture.md").read_text(encoding="utf-8").partition("<!-- rooms -->")
    listed = {
        f"{room}{file}"
        for room, body in re.findall(r"### `([\w/]+)`\n(.*?)(?=\n### |<!-- /rooms)", rooms, re.DOTALL)
        for file in re.findall(r"^- `(\w+\.py)`", body, re.MULTILINE)
    }
    there = {shorten(path) if path.parent != SOURCE else f"cvserve/{path.name}" for path in FILES}
    assert {name for name in there if not name.endswith("__init__.py")} == listed, "run: scripts/fix"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_line_of_prose_can_be_read_in_a_diff(page: Path) -> None:
    """Tables, code and the pages that come from the code are left out."""
    text = page.read_text(encoding="utf-8")
    if "Made by scripts/make_docs.py" in text:
        return
    prose = re.sub(r"^\s*```.*?^\s*```", "", text, flags=re.MULTILINE | re.DOTALL)
    long = [line for line in prose.splitlines() if len(line) > MAX_PROSE_COLUMNS and not line.lstrip().startswith("|")]
    assert long == []
