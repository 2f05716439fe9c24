"""A folder with a model and a `.env` that names it, as a course hands it out: `cvserve serve` and nothing else."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import joblib
import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from support.pictures import encoded
from support.process import ServerProcess


@pytest.fixture
def folder(home: Path) -> Path:
    """`.env` and `model/model.pkl`, a plain estimator on 0…16."""
    digits = load_digits()
    model = LogisticRegression(max_iter=200).fit(digits.data[:400] / 16, digits.target[:400])
    (home / "model").mkdir()
    joblib.dump(model, home / "model/model.pkl")
    (home / ".env").write_text("MODEL_PATH=./model/model.pkl\n", encoding="utf-8")
    return home


def test_serves_the_estimator_after_it_was_trusted(folder: Path, server_process: Callable[..., ServerProcess]) -> None:
    refused = _cvserve(folder, "serve", "--port", "0")
    assert refused.returncode == 5
    assert "Traceback" not in refused.stderr
    command = re.search(r"cvserve (model trust \S+ --sha256 [0-9a-f]{64})", refused.stderr)
    assert command, refused.stderr
    trusted = _cvserve(folder, *command[1].split())
    assert trusted.returncode == 0, trusted.stderr

    server = server_process()
    assert "serves model" in server.stderr
    assert "guessed: " in server.stderr
    digits = load_digits()
    picture = encoded(Image.fromarray((digits.images[7] * 255 / 16).astype(np.uint8)))
    with server.client() as client:
        answer = client.post("/predict", files={"file": ("seven.png", picture)}).json()
    assert (answer["id"], answer["result"], answer["model"]["name"]) == (1, 7, "model")


def test_the_folder_cannot_vouch_for_itself(folder: Path) -> None:
    with (folder / ".env").open("a", encoding="utf-8") as file:
        file.write(f"CVSERVE_MODEL_SHA256={'0' * 64}\n")
    refused = _cvserve(folder, "serve", "--port", "0")
    assert refused.returncode == 2
    assert "model_sha256" in refused.stderr


def _cvserve(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cvserve", *arguments],
        cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60, check=False,
    )  # fmt: skip
