"""Programs that were saved in training mode are refused; what `eval()` still changes is not."""

import warnings
from pathlib import Path
from typing import Any

import pytest

from cvserve import Predictor
from cvserve.errors import ModelLoadError
from support.torch_models import SIDE_PX, SIZE, exported, needs_torch, scripted, trained

pytestmark = needs_torch


def traced(module: Any, path: Path) -> Path:
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(module, torch.rand(2, 3, SIDE_PX, SIDE_PX), check_trace=False), path)
    return path


def with_norm_alone() -> Any:
    """Without dropout: alone it gives a picture the same answer each time."""
    import torch

    module = trained()
    module.dropout = torch.nn.Identity()
    return module


def load(path: Path) -> Predictor:
    path.with_suffix(".toml").write_text(SIZE)
    return Predictor.load(path, trust=True)


@pytest.mark.parametrize("save", [traced, exported])
def test_training_mode_is_refused(tmp_path: Path, save: Any) -> None:
    for make in (trained, with_norm_alone):
        path = save(make().train(), tmp_path / f"{make.__name__}.pt{'2' * (save is exported)}")
        with pytest.raises(ModelLoadError, match=r"was exported in training mode, .* call model.eval\(\) before it is"):
            load(path)


def test_what_can_still_be_changed_is_changed(tmp_path: Path) -> None:
    load(scripted(trained().train(), tmp_path / "scripted.pt"))
    load(traced(trained(), tmp_path / "traced.pt"))
