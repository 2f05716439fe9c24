"""No silent fallback: a model that cannot compute where it is told to is not loaded."""

from pathlib import Path

import pytest

from cvserve import Predictor
from cvserve.errors import InvalidSetting, ModelLoadError


def test_a_model_without_devices_refuses_one() -> None:
    with pytest.raises(
        ModelLoadError, match=r"^The built-in model computes on cpu and not on cuda: .* take --device cpu"
    ):
        Predictor.load(device="cuda")


def test_a_model_of_one_precision_refuses_half() -> None:
    with pytest.raises(ModelLoadError, match=r"^The built-in model has no half precision: .* leave --half out"):
        Predictor.load(half=True)


def test_a_device_is_checked_before_the_file() -> None:
    with pytest.raises(InvalidSetting, match="device is 'gpu': give auto, cpu, cuda"):
        Predictor.load(Path("nowhere.onnx"), device="gpu")


@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_the_cpu_is_there_for_all(device: str) -> None:
    predictor = Predictor.load(device=device)
    assert predictor.info.device == "cpu"
    assert predictor.model.origins["device"] == ("cpu", "default" if device == "auto" else "settings")
