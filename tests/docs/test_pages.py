"""Every command of the pages does what the page shows, and every Python block runs."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.guide import Guide
from support.model_guide import CHECKING, ModelGuide
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


@pytest.mark.parametrize("section", ["scikit-learn", "ONNX"])
def test_models_page_trains_and_serves_what_it_says(home: Path, section: str) -> None:
    (training,) = blocks("docs/models.md", "python", section)
    (config,) = blocks("docs/models.md", "toml", section)
    tomllib.loads(config)
    (home / "model.toml").write_text(config, encoding="utf-8")
    subprocess.run([sys.executable, "-c", training], cwd=home, check=True, timeout=120)
    (commands,) = [block for block in blocks("docs/models.md", "sh", section) if "model inspect" in block]
    sample = next((ROOT / "src/cvserve/samples").glob("digit-4*"))
    for line in commands.strip().splitlines():
        words = [sample if word == "img.jpg" else word for word in line.split()[1:]]
        ended = subprocess.run(
            [sys.executable, "-m", "cvserve", *words], cwd=home, capture_output=True, text=True, check=False, timeout=60
        )
        assert ended.returncode == 0, ended.stderr
    assert "four" in ended.stdout or re.search(r"^4 +█", ended.stdout, re.MULTILINE), ended.stdout


def test_checking_page_counts_what_it_shows(home: Path) -> None:
    shown = (ROOT / CHECKING).read_text(encoding="utf-8")
    assert steady(replayed(CHECKING, ModelGuide(home).answer)) == steady(shown), "run: python scripts/record_docs.py"


def test_compiled_page_shows_how_to_see_that_a_model_was_compiled(home: Path) -> None:
    (training,) = blocks("docs/models.md", "python", "scikit-learn")
    subprocess.run([sys.executable, "-c", training], cwd=home, check=True, timeout=120)
    (block,) = blocks("docs/compiled.md", "sh")
    command = block.strip().splitlines()[-1].split()[1:]
    ended = subprocess.run(
        [sys.executable, "-m", "cvserve", *command], cwd=home, capture_output=True, text=True, check=False, timeout=60
    )
    assert re.search(r"^runs as +ONNX, compiled", ended.stdout, re.MULTILINE), ended.stdout + ended.stderr


@pytest.mark.slow
def test_loadtest_page_runs_as_it_says(home: Path) -> None:
    lines = [line for block in blocks("docs/loadtest.md", "sh") for line in block.strip().splitlines()]
    quick = [
        line.partition("#")[0].split()[1:] for line in lines if "-t 2s" in line or "--list" in line or "--eject" in line
    ]
    assert len(quick) == 7
    for number, words in enumerate(quick):
        place = ["--out", f"report-{number}", "--exit-code-on-error", "9"] if "-t" in words else []
        ended = subprocess.run(
            [sys.executable, "-m", "cvserve", *words, *place], capture_output=True, text=True, check=False, timeout=120
        )
        # What was measured before may have been quicker, which is what --compare is for.
        assert ended.returncode in ((0, 1) if "--compare" in words else (0,)), ended.stderr
    assert len(list(home.glob("report-*/report.html"))) == 5
    assert (home / "locustfile.py").exists()


def test_every_relative_link_leads_somewhere() -> None:
    for page in [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / "examples").rglob("*.md"),
    ]:
        for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", page.read_text(encoding="utf-8")):
            linked = page.parent / target if target else page
            assert linked.exists(), f"{page.name} links to {target}"
            assert not anchor or anchor in anchors(linked), f"{page.name} links to {target}#{anchor}"


def anchors(page: Path) -> set[str]:
    """The headings of a page, as links name them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/*.md")), ids=lambda page: page.name)
def test_every_row_of_a_table_is_in_one(page: Path) -> None:
    """A blank line in a table makes what follows plain text with bars."""
    text = re.sub(r"^ *```.*?^ *```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for table in re.findall(r"(?:^ *\|.*\n?)+", text, re.MULTILINE):
        head, _, rest = table.partition("\n")
        assert re.match(r" *\|( *:?-+:? *\|)+", rest), head


def test_generated_pages_are_fresh() -> None:
    ended = subprocess.run(
        [sys.executable, ROOT / "scripts/make_docs.py", "--check"], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
