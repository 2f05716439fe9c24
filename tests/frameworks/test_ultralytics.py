"""A classifier of Ultralytics is served from its export, with no config: names, size and crop stand in it."""

import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest

from cvserve import Predictor
from cvserve.errors import ModelLoadError
from frameworks.case import TOLERANCE, Case
from support.models import load_model

if not importlib.util.find_spec("ultralytics"):
    pytest.skip("pip install ultralytics, and these tests run", allow_module_level=True)
NETS = importlib.import_module("frameworks.ultralytics_nets")
ULTRALYTICS: dict[str, Callable[[Path], Case]] = NETS.ULTRALYTICS

pytestmark = pytest.mark.filterwarnings("ignore")  # of PyTorch's exporter about itself


@pytest.mark.parametrize("name", ULTRALYTICS)
def test_scores_are_those_of_ultralytics(tmp_path: Path, name: str) -> None:
    case = ULTRALYTICS[name](tmp_path)
    assert case.differ() <= TOLERANCE
    model = Predictor.load(case.path).model
    assert model.labels == tuple(NETS.NAMES.values())
    assert model.guessed == ()


@pytest.mark.parametrize("task", ["detect", "segment"])
def test_what_is_no_classifier_is_told_by_its_task(tmp_path: Path, task: str) -> None:
    yolo = NETS.YOLO("yolo11n.yaml" if task == "detect" else "yolo11n-seg.yaml")
    with pytest.raises(ModelLoadError, match=f"was made for the task '{task}'"):
        load_model(NETS.exported(tmp_path, yolo).path)
