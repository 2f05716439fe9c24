"""A model that gives no answer is not waited for without end, and whoever waits can give up."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import onnx
import pytest

from cvserve.errors import ModelLoadError
from cvserve.predictor.loading import load_model
from cvserve.predictor.models.fault import ModelFault
from cvserve.predictor.source import ModelSource
from cvserve.predictor.trial import limit_trials, remaining_s, run_trial
from cvserve.settings import Settings
from support.onnx_models import endless

ASKED_OF_A_CHILD = """
import sys
from cvserve.predictor.loading import load_model
from cvserve.predictor.source import ModelSource
load_model(ModelSource(sys.argv[1], trial_s=0.3))
"""


@pytest.fixture
def endless_model(tmp_path: Path) -> Path:
    path = tmp_path / "m.onnx"
    onnx.save(endless([1, 3, 8, 8]), path)
    return path


def test_the_answer_and_the_error_of_a_trial_are_those_of_the_model() -> None:
    assert run_trial(lambda: 3) == 3
    with pytest.raises(SystemExit):
        run_trial(sys.exit)


def test_no_thread_is_left_when_a_model_has_answered() -> None:
    """A fork needs a process with one thread."""
    before = len(os.listdir("/proc/self/task"))
    for _ in range(50):
        run_trial(int)
        assert len(os.listdir("/proc/self/task")) == before


def test_a_trial_knows_how_much_of_its_time_is_left() -> None:
    with limit_trials(50):
        assert remaining_s() == (0, 50)
        spent_s, left_s = run_trial(remaining_s)
    assert 0 <= spent_s < 50
    assert spent_s + left_s == pytest.approx(50)


def test_whoever_waits_is_told_when_there_is_no_answer() -> None:
    goes_on = threading.Event()
    with (
        limit_trials(0.05),
        pytest.raises(ModelFault, match="raise predict_timeout"),
    ):
        run_trial(goes_on.wait)
    goes_on.set()


def test_whoever_waits_can_interrupt() -> None:
    goes_on = threading.Event()

    def interrupt() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        goes_on.wait()

    with pytest.raises(KeyboardInterrupt):
        run_trial(interrupt)
    goes_on.set()


def test_a_file_that_loops_for_ever_ends_its_process_with_a_sentence(endless_model: Path) -> None:
    """In a process of its own, since compiled code that is under way cannot be ended."""
    command = [sys.executable, "-c", ASKED_OF_A_CHILD, str(endless_model)]
    said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert said.returncode == 1  # the error, and no signal
    assert "ModelLoadError: 'm.onnx' gave no answer about one grey picture" in said.stderr


def test_a_slow_model_is_given_more_time_by_the_setting() -> None:
    assert ModelSource.of(Settings(model="m.onnx")).trial_s == 60
    assert ModelSource.of(Settings(model="m.onnx", predict_timeout=300)).trial_s == 600


def test_the_limit_is_that_of_the_source(tmp_path: Path) -> None:
    path = tmp_path / "slow.py"
    path.write_text(
        "import threading\n\nimport numpy as np\n\n\nclass Slow:\n    def infer(self, batch):\n"
        "        threading.Event().wait()\n"
    )
    path.with_suffix(".toml").write_text('labels = ["a", "b"]\n[input]\nsize = [8, 8]\n')
    with pytest.raises(ModelLoadError, match="gave no answer about one grey picture"):
        load_model(ModelSource(f"{path}:Slow", trial_s=0.1))
