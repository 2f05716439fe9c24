"""Small PyTorch classifiers, as users write and save them. Importing this needs no PyTorch; calling it does.

`CVSERVE_TEST_TORCH=1` makes a PyTorch that is missing a failure: for machines that are meant to run these tests.
"""

import importlib.util
import os
import tempfile
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import pytest

SIDE_PX = 8
SIZE = f'[input]\nsize = [{SIDE_PX}, {SIDE_PX}]\nmode = "RGB"\nresize = "exact"\nmean = [0.5, 0.4, 0.3]\nstd = 0.25\n'
LABELS = 'labels = ["cat", "dog", "mouse"]\n'

# What stands in a user's model.py
MODEL_PY = """import torch
from torch import nn


class BaseModel(nn.Module):
    def __init__(self, num_classes=3, channels=3):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(channels, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(4, num_classes)

    def forward(self, x):
        return self.head(self.dropout(self.features(x).mean(dim=(2, 3))))
"""

_is_installed = importlib.util.find_spec("torch") is not None
needs_torch = pytest.mark.skipif(
    not _is_installed and os.environ.get("CVSERVE_TEST_TORCH") != "1",
    reason="PyTorch is not installed; pip install 'cvserve[torch]' and these tests run",
)


def written(folder: Path, text: str = MODEL_PY, toml: str = LABELS + SIZE) -> Path:
    """`model.py` and `model.toml` in a folder."""
    folder.mkdir(exist_ok=True)
    (folder / "model.toml").write_text(toml, encoding="utf-8")
    (folder / "model.py").write_text(text, encoding="utf-8")
    return folder / "model.py"


def trained(**arguments: Any) -> Any:
    """A `BaseModel` with weights and statistics that are not those of a new one, in evaluation mode."""
    import torch

    torch.manual_seed(7)
    module = _base_model()(**arguments)
    module.train()
    for _ in range(3):
        module(torch.rand(5, arguments.get("channels", 3), SIDE_PX, SIDE_PX) * 4)
    return module.eval()


@cache
def _base_model() -> Any:
    """The class; TorchScript reads its source from a file."""
    path = Path(tempfile.mkdtemp()) / "base_model_of_tests.py"
    path.write_text(MODEL_PY, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.BaseModel


def scripted(module: Any, path: Path) -> Path:
    """The module saved as TorchScript."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(module), path)
    return path


def exported(
    module: Any, path: Path, *, batch: int | None = None, shape: tuple[int, ...] = (3, SIDE_PX, SIDE_PX)
) -> Path:
    """The module saved by `torch.export`; `batch` is built into it, None: any number of pictures."""
    import torch

    example = (torch.rand(batch or 2, *shape),)
    free = None if batch else ({0: torch.export.Dim("pictures")},)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(torch.export.export(module, example, dynamic_shapes=free), path)
    return path


def probabilities(module: Any, batch: Any) -> Any:
    """What PyTorch itself says of a prepared batch."""
    import torch

    with torch.inference_mode():
        return torch.softmax(module(torch.from_numpy(batch)), dim=1).numpy()
