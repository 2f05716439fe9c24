"""Who types what the first table of `docs/models.md` says, gets the answers of the framework that saved the model.

Each row is gone through as its user does: the files, the command, and one photo after the other over HTTP.
"""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from frameworks.case import TOLERANCE, Case
from frameworks.photos import lossless_files, photo_files, photos
from frameworks.recipes import RECIPES
from support.pages import ROOT
from support.process import ServerProcess

_ROW = re.compile(r"^\| \[([^\]]+)\]\(#[\w-]+\) \| .* \| `(cvserve serve [^`]+)` \|$", re.MULTILINE)
_TRUST = re.compile(r"run: (cvserve model trust .+ --sha256 [0-9a-f]{64})")


def commands() -> dict[str, str]:
    """What the table says to type, by what people have."""
    text = (ROOT / "docs/models.md").read_text(encoding="utf-8")
    section = text.partition("\n## Your framework\n")[2].partition("\n## ")[0]
    assert section.count("`cvserve serve ") == len(_ROW.findall(section))
    return dict(_ROW.findall(section))


def test_every_row_is_gone_through() -> None:
    assert list(commands()) == list(RECIPES)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # frameworks among themselves
@pytest.mark.skipif(not os.environ.get("CVSERVE_TEST_LONG"), reason="CVSERVE_TEST_LONG=1 goes through each row")
@pytest.mark.parametrize("name", RECIPES)
def test_one_command_serves_what_was_saved(home: Path, server_process: Callable[..., ServerProcess], name: str) -> None:
    case = RECIPES[name](home)
    options = shlex.split(commands()[name])[2:]
    vouch(options, home)
    server = server_process(*options, "--no-auth")
    with server.client() as client:
        given = ask(client, case)
    expected = np.stack([np.asarray(case.reference(photo), np.float64) for photo in photos().values()])
    assert np.ptp(expected, axis=1).mean() > 0.05
    assert np.abs(given - expected).max() <= TOLERANCE


def vouch(options: list[str], home: Path) -> None:
    """Where the command says that somebody must vouch for the file, type what it says to type."""
    (home / "photo.png").write_bytes(next(iter(lossless_files().values())))
    first = subprocess.run(
        [sys.executable, "-m", "cvserve", "predict", *options, "photo.png"], cwd=home, capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip
    found = _TRUST.search(first.stderr)
    if first.returncode == 5 and found:
        words = shlex.split(found[1])[1:]
        subprocess.run([sys.executable, "-m", "cvserve", *words], cwd=home, check=True, timeout=60)
    else:
        assert first.returncode == 0, first.stderr


def ask(client: httpx.Client, case: Case) -> NDArray[np.float64]:
    """All scores of all photos, by `POST /predict`."""
    files = lossless_files() if case.is_grey else photo_files()
    rows = []
    for data in files.values():
        top = client.post("/predict?top_k=1000", content=data).raise_for_status().json()["top"]
        row = np.zeros(len(top))
        row[[entry["index"] for entry in top]] = [entry["score"] for entry in top]
        rows.append(row)
    return np.stack(rows)
