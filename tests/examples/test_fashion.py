"""The example of clothes as its README says, on a tenth of the pictures: train, check, look, serve."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cvserve.predictor.predictor import Predictor
from support.command import cvserve
from support.pages import ROOT, Command, blocks, commands
from support.process import ServerProcess

EXAMPLE = ROOT / "examples" / "fashion"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not Path("/usr/share/datasets/fashion-mnist").is_dir(),
        reason="dataset-fashion-mnist is not installed (scripts/test installs it on Debian)",
    ),
]
README = [command for block in blocks("examples/fashion/README.md", "console") for command in commands(block)]
TRAINING, *LATER = README


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what `train.py` writes, in little time."""
    folder = tmp_path_factory.mktemp("fashion")
    for script in EXAMPLE.glob("*.py"):
        shutil.copy(script, folder)
    assert TRAINING.line == "python train.py"
    command = [sys.executable, "-W", "error", "train.py", "--limit", "6000", "--epochs", "3"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    ended = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert "epoch 3" in ended.stderr
    assert ended.stdout in TRAINING.output + "\n"
    return folder


@pytest.mark.parametrize("command", LATER, ids=lambda command: command.line.split()[0:3][-1])
def test_readme_shows_what_happens(trained: Path, monkeypatch: pytest.MonkeyPatch, command: Command) -> None:
    monkeypatch.chdir(trained)
    path = f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"
    ended = subprocess.run(
        ["bash", "-c", command.line],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert heads(ended.stdout) == heads(command.output)


def heads(text: str) -> list[str]:
    """The first word of each line, without those that another training orders in another way."""
    words = [line.split()[0] for line in text.splitlines() if line.strip()]
    return [word for word in words if word not in {"t-shirt", "shirt", "pullover", "coat"} and not word[0].isdigit()]


def test_the_input_is_that_of_training(trained: Path) -> None:
    code = (
        "import numpy, train, fashion_mnist; pictures, _ = fashion_mnist.load('t10k'); "
        "numpy.save('prepared.npy', train.prepared(pictures[:20]))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=trained, check=True, timeout=60)
    expected = np.load(trained / "prepared.npy")
    predictor = Predictor.load(trained / "fashion.skops")
    for path in sorted((trained / "held-out").glob("*/00[01]?.png")):
        with Image.open(path) as picture:
            assert np.array_equal(np.asarray(predictor.preprocess(picture)), expected[int(path.stem)])


def test_a_better_model_is_asked_for_than_there_is(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(trained)
    said = cvserve("model", "check", "fashion.skops", "held-out", "--min-accuracy", "0.99")
    assert said.code == 1
    assert re.fullmatch(r"cvserve: the accuracy is 0\.\d+ \(\d+ of 1,000\), and --min-accuracy .* 0\.99\.\n", said.err)


def test_served_it_says_what_the_check_counted(trained: Path, server_process: Callable[..., ServerProcess]) -> None:
    bag = trained / "held-out" / "bag" / "0018.png"
    assert str(bag.relative_to(trained)) in (EXAMPLE / "README.md").read_text(encoding="utf-8")
    server = server_process("--model", str(trained / "fashion.skops"), "--workers", "1")
    with server.client() as client:
        answer = client.post("/predict", files={"file": bag.read_bytes()}).json()
    expected = Predictor.load(trained / "fashion.skops").predict(bag)
    assert (answer["label"], answer["score"]) == (expected.label, expected.score)
    assert expected.label == "bag"
    assert "guessed" not in server.stderr
