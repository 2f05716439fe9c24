"""A scikit-learn model on the network, run as ONNX."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import skops.io
from sklearn.datasets import load_digits
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

from support.command import cvserve
from support.pictures import digit_photo
from support.process import ServerProcess, workers_of


@pytest.fixture
def forest(home: Path) -> Path:
    """A forest of digits on 0…16."""
    digits = load_digits()
    skops.io.dump(RandomForestClassifier(20, random_state=0).fit(digits.data, digits.target), home / "m.skops")
    (home / "m.toml").write_text("[input]\ninvert = true\nscale = 0.0627451\n", encoding="utf-8")
    return home


# With a process it is compiled by the second server and found by the third one.
@pytest.mark.parametrize(("workers", "modes"), [("1", ("never", "require", "auto")), ("0", ("never", "auto"))])
def test_answers_are_those_of_the_estimator(
    server_process: Callable[..., ServerProcess], forest: Path, tmp_path: Path, workers: str, modes: tuple[str, ...]
) -> None:
    answers = []
    cache = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    for mode in modes:
        server = server_process("--model", "m.skops", "--workers", workers, "--compile", mode, "--no-auth", **cache)
        with server.client() as client:
            answers.append(client.post("/predict", content=digit_photo("4")).json())
        if workers == "1" and sys.platform == "linux":
            (worker,) = workers_of(server.process.pid)
            assert len(list(Path(f"/proc/{worker}/task").iterdir())) == 1
        assert server.stop() == 0
    for answer in answers[1:]:
        assert (answer["result"], answer["model"]) == (answers[0]["result"], answers[0]["model"])
        assert [entry["score"] for entry in answer["top"]] == pytest.approx(
            [entry["score"] for entry in answers[0]["top"]], abs=1e-5
        )
    assert len(list((tmp_path / "cache/cvserve").iterdir())) == 1


@pytest.fixture
def histogram(home: Path) -> Path:
    """What skl2onnx does not convert."""
    digits = load_digits()
    model = HistGradientBoostingClassifier(max_iter=1).fit(digits.data[:200], digits.target[:200])
    skops.io.dump(model, home / "m.skops")
    return home


def test_what_cannot_be_compiled_ends_the_start_if_that_is_required(histogram: Path) -> None:
    ended = cvserve("serve", "--port", "0", "--model", "m.skops", "--workers", "1", CVSERVE_COMPILE="require")
    assert ended.code == 5
    assert "'m.skops' cannot be compiled to ONNX: skl2onnx" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("workers", ["1", "0"])
def test_what_cannot_be_compiled_runs_and_is_said_in_one_line(
    server_process: Callable[..., ServerProcess], histogram: Path, workers: str
) -> None:
    server = server_process("--model", "m.skops", "--workers", workers)
    assert server.stderr.count("'m.skops' is run by scikit-learn and not as ONNX: skl2onnx") == 1
