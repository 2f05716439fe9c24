"""The plugin of `examples/plugin`, installed by pip and used through the command line and over HTTP."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from support.command import cvserve
from support.pages import ROOT, replayed, run, steady
from support.process import ServerProcess

EXAMPLE = ROOT / "examples" / "plugin"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the plugin as pip installs it."""
    folder = tmp_path_factory.mktemp("plugin")
    # A copy: building leaves nothing in the sources.
    shutil.copytree(EXAMPLE, folder / "source", ignore=shutil.ignore_patterns("__pycache__", ".pytest_cache"))
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--disable-pip-version-check", "--target")
    command = [sys.executable, "-m", "pip", "install", *options, str(folder / "site"), str(folder / "source")]
    subprocess.run(command, check=True, timeout=120)
    return folder / "site"


@pytest.fixture
def installed(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plugin for every process that the test starts."""
    monkeypatch.setenv("PYTHONPATH", str(site))


@pytest.fixture(scope="module")
def estimator() -> Any:
    rows, classes = load_digits(return_X_y=True)
    return LogisticRegression(max_iter=200).fit(rows / 16, classes)


@pytest.fixture
def model(installed: None, home: Path, estimator: Any) -> str:
    """Digits, trained by scikit-learn, written by the plugin's own `dump`."""
    np.savez(home / "weights.npz", weights=estimator.coef_.T, bias=estimator.intercept_)
    code = (
        "import numpy, pathlib, cvserve_linear as linear; found = numpy.load('weights.npz'); "
        "linear.dump(pathlib.Path('digits.linear'), found['weights'], found['bias'], '0123456789', (8, 8))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=home)
    return "digits.linear"


@pytest.fixture
def digit(home: Path) -> NDArray[Any]:
    """A picture of a 6 of 8 by 8 pixels, and its pixels 0…255."""
    from PIL import Image

    rows, _ = load_digits(return_X_y=True)
    pixels: NDArray[Any] = (rows[6] * 255 / 16).astype(np.uint8)
    Image.fromarray(pixels.reshape(8, 8)).save(home / "six.png")
    return pixels


def test_predict_and_server_give_the_scores_of_the_estimator(
    model: str, home: Path, estimator: Any, digit: NDArray[Any], server_process: Callable[..., ServerProcess]
) -> None:
    expected = estimator.predict_proba([digit / 255])[0]
    said = cvserve("predict", "six.png", "--model", model, "--json", "--no-history")
    assert said.code == 0, said.err
    (offline,) = json.loads(said.out)
    assert (offline["result"], offline["label"]) == (6, "6")
    assert offline["score"] == pytest.approx(expected.max(), abs=1e-5)
    server = server_process("--model", model, "--workers", "1")
    with server.client() as client:
        answer = client.post("/predict", files={"file": (home / "six.png").read_bytes()})
    assert answer.status_code == 200, answer.text
    assert answer.json()["top"] == offline["top"]
    assert "warning" not in server.stderr


def test_inspect_names_the_plugin_and_what_the_file_says(model: str) -> None:
    said = cvserve("model", "inspect", model, "--json")
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert found["format"] == "linear-json"
    assert found["properties"]["plugin"]["value"] == "'linear' of cvserve-linear 0.1.0"
    assert found["properties"]["input.scale"] == {"value": 1 / 255, "from": "file"}
    assert found["guessed"] == ["resize", "resample", "invert", "mean", "std"]


def test_without_the_plugin_nobody_knows_the_file(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONPATH")
    said = cvserve("model", "inspect", model)
    assert said.code == 5
    assert "'digits.linear'" in said.err


def test_readme_shows_what_happens(installed: None, home: Path) -> None:
    shutil.copy(EXAMPLE / "make_digits.py", home)
    page = "examples/plugin/README.md"
    path = f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"
    happened = replayed(page, lambda line: run(line, home, PATH=path))
    assert _steady(happened) == _steady((ROOT / page).read_text(encoding="utf-8"))


def _steady(text: str) -> str:
    """Without the file's hash and size: the last digits of its weights are the machine's."""
    return re.sub(r"[0-9a-f]{64}|(?<=size_bytes )\d+", "…", steady(text))


def test_its_own_tests_pass(site: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(EXAMPLE)]
    environment = {**os.environ, "PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1"}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "3 passed" in ended.stdout
