"""Every command of the pages does what the page shows, and every Python block runs."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.guide import Guide
from support.model_guide import ModelGuide
from support.pages import ROOT, blocks, replayed, steady

PAGES = ["README.md", "docs/http-api.md"]


@pytest.fixture
def guide(home: Path) -> Iterator[Guide]:
    made = Guide(home)
    yield made
    made.server.stop()


@pytest.mark.parametrize("page", PAGES)
def test_commands_print_what_the_page_shows(guide: Guide, page: str) -> None:
    shown = (ROOT / page).read_text(encoding="utf-8")
    assert steady(replayed(page, guide.answer)) == steady(shown), "run: python scripts/record_docs.py"


def test_readme_python_block_runs(guide: Guide) -> None:
    (code,) = blocks("README.md", "python")
    script = code.replace("predictor.predict(", "print(predictor.predict(", 1).rstrip() + ".label)"
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=guide.folder, capture_output=True, text=True, check=False, timeout=60
    )
    assert (ended.stdout, ended.stderr) == ("3\n", "")


@pytest.fixture
def model_guide(home: Path) -> ModelGuide:
    return ModelGuide(home)


def test_models_page_trains_checks_and_looks_at_what_it_says(model_guide: ModelGuide) -> None:
    shown = (ROOT / "docs/models.md").read_text(encoding="utf-8")
    assert steady(replayed("docs/models.md", model_guide.answer)) == steady(shown), "run: python scripts/record_docs.py"
    (commands,) = blocks("docs/models.md", "sh", "scikit-learn")
    for line in commands.strip().splitlines():
        said = model_guide.answer(f"{line} || echo failed")
        assert "failed" not in said
    # Everything in the example was said, so nothing is left to guess but how a picture is brought to size.
    assert "four" in said
    assert "guessed: resize - " in said


def test_every_relative_link_leads_somewhere() -> None:
    for page in [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / "examples").rglob("*.md"),
    ]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_generated_pages_are_fresh() -> None:
    ended = subprocess.run(
        [sys.executable, ROOT / "scripts/make_docs.py", "--check"], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
