"""A class is told where to compute, and what it then says of itself counts."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cvserve import Predictor
from cvserve.errors import ModelLoadError

TOLD = """from cvserve import Predictor
import numpy as np
class Told(Predictor):
    labels = ("dark", "light")
    scores = "probabilities"
    def setup(self):
        self.told = (self.device, self.half)
        {more}
    def preprocess(self, image):
        return np.asarray(image.convert("L").resize((1, 1)), dtype=np.float32)
    def infer(self, batch):
        light = batch.reshape(-1, 1) / 255
        return np.concatenate([1 - light, light], axis=1)
"""


@pytest.fixture(autouse=True)
def fresh_modules() -> Iterator[None]:
    """Each test has a `told.py` of its own."""
    yield
    sys.modules.pop("told", None)


def written(folder: Path, more: str = "pass", head: str = "") -> str:
    (folder / "told.py").write_text(head + TOLD.replace("{more}", more), encoding="utf-8")
    return f"{folder / 'told.py'}:Told"


def test_a_class_is_told_before_its_setup(tmp_path: Path) -> None:
    predictor = Predictor.load(written(tmp_path, "assert self.told == ('cpu', False)"))
    assert predictor.info.device == "cpu"
    sys.modules.pop("told")
    half = Predictor.load(written(tmp_path, "assert self.told == ('cpu', True)"), half=True, device="cpu")
    assert half.model.origins["half"] == (True, "settings")
    assert half.info.version != predictor.info.version


def test_what_a_class_says_after_its_setup_counts(tmp_path: Path) -> None:
    predictor = Predictor.load(written(tmp_path, "self.device = 'npu:1'"))
    assert predictor.info.device == "npu:1"
    assert predictor.model.origins["device"] == ("npu:1", "default")


def test_a_class_that_takes_another_device_than_it_was_told_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match=r"computes on cpu and not on mps: .* take --device cpu"):
        Predictor.load(written(tmp_path, "self.device = 'cpu'"), device="mps")


def test_an_attribute_that_is_no_device_stays_the_class_s_own(tmp_path: Path) -> None:
    path = written(tmp_path, "assert self.told[0] == 'The camera in the hall'")
    text = (tmp_path / "told.py").read_text(encoding="utf-8")
    named = text.replace("    labels", "    device = 'The camera in the hall'\n    labels", 1)
    (tmp_path / "told.py").write_text(named, encoding="utf-8")
    assert Predictor.load(path).info.device == "cpu"


def test_pytorch_that_a_class_imports_finds_its_device(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("a machine with a GPU")
    assert Predictor.load(written(tmp_path, head="import torch\n")).info.device == "cpu"


def test_pytorch_that_a_class_has_and_does_not_use_is_no_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    path = written(tmp_path, "assert self.told[0] == 'cuda:0'", "import torch\n")
    assert Predictor.load(path).info.device == "cpu"
