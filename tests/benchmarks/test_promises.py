"""The harness of docs/promises.md: every script says what it measures, and the table is made of what they print."""

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "promises.md"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    yield importlib.import_module("promises.run")
    for name in [name for name in sys.modules if name == "load" or name.split(".")[0] == "promises"]:
        sys.modules.pop(name)


def test_each_script_says_what_it_promises(run: Any) -> None:
    numbers = {}
    for name in run.list_scripts():
        module = importlib.import_module(f"promises.{name}")
        assert module.PROMISE.text.endswith(".")
        assert module.PROMISE.method
        numbers[module.PROMISE.number] = name
        assert callable(module.measure)
    assert len(numbers) == len(run.list_scripts())
    paragraphs = re.findall(r"^\*\*(\d+)\. .*?(?=\n\n)", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert sorted(map(int, paragraphs)) == sorted(numbers)


def test_each_paragraph_says_how_it_is_measured_and_where_it_ends() -> None:
    for paragraph in re.findall(r"^\*\*\d+\. .*?(?=\n\n)", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        assert "*Measured:*" in paragraph, paragraph
        assert "*Not promised:*" in paragraph, paragraph


def test_the_page_has_the_table(run: Any) -> None:
    _, _, rest = PAGE.read_text(encoding="utf-8").partition(run.BEGIN)
    rows = re.findall(r"^\| (\d+) \|", rest.partition(run.END)[0], re.MULTILINE)
    assert len(rows) == len(run.list_scripts())


def test_one_script_measures_the_server_of_this_environment(run: Any) -> None:
    found = run.measure("token_timing", sys.executable, str(ROOT / "src"), 0.01)
    assert (found["number"], found["holds"] in (True, False)) == (10, True), found
    assert found["figures"]["samples each"] == 100


def test_script_that_fails_is_no_promise_that_holds(run: Any) -> None:
    found = run.measure("token_timing", str(ROOT / "none"), None, 0.01)
    assert found["holds"] is False
    assert found["why"]


def test_table_has_a_row_a_promise_and_both_sides(run: Any) -> None:
    now = {
        "number": 7,
        "promise": "P.",
        "method": "m",
        "figures": {"cases": 1234, "alive": True},
        "holds": True,
        "why": "",
    }
    before = now | {"figures": {"other": {"a|b": [1, 2]}}, "holds": False, "why": "x"}
    assert run.make_table({"raw_http": {"now": now, "before": before}, "new": {"now": now | {"number": 1}}}) == (
        "| # | promise | how it was measured | before | now | holds |\n|--:|---|---|---|---|---|\n"
        "| 1 | P. | m (`new.py`) | – | cases 1,234; alive yes | yes |\n"
        "| 7 | P. | m (`raw_http.py`) | **no**: other a\\|b: 1, 2 (x) | cases 1,234; alive yes | yes |\n"
    )
