"""The class on the page about devices is a model, and its device is the one that is asked for."""

import sys
from pathlib import Path

import pytest

from cvserve import Predictor
from support.pages import blocks
from support.pictures import grey
from support.torch_models import LABELS, SIZE, needs_torch, scripted, trained


@needs_torch
def test_your_own_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = blocks("docs/devices.md", "python", "Your own class")
    (tmp_path / "placed.py").write_text(code, encoding="utf-8")
    (tmp_path / "placed.toml").write_text(LABELS + SIZE, encoding="utf-8")
    weights = scripted(trained(), tmp_path / "net.pt")
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    predictor = Predictor.load(f"{tmp_path / 'placed.py'}:Net", weights=weights, device="cpu")
    assert predictor.info.device == "cpu"
    assert predictor.predict(grey(90, (8, 8))).label in ("cat", "dog", "mouse")
