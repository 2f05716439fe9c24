"""Tensors that say to be larger than their file: refused before memory is taken for them."""

import importlib
from pathlib import Path
from typing import Any

import pytest

from cvserve import Predictor
from cvserve.errors import ModelLoadError
from cvserve.predictor.backends.torch.tensor_sizes import check_tensor_sizes
from cvserve.predictor.models.fault import ModelFault
from support.hf_folders import made_folder, needs_transformers
from support.torch_models import needs_torch

pytestmark = needs_torch


def large(form: str) -> Any:
    """60 MB of numbers, of which the file holds one."""
    torch: Any = importlib.import_module("torch")
    forms: dict[str, Any] = {
        "expanded": lambda: torch.zeros(1, dtype=torch.float16).expand(3000, 10_000),
        "sparse": lambda: torch.sparse_coo_tensor(
            torch.tensor([[0], [0]]), torch.ones(1), (3000, 10_000), check_invariants=True
        ),
        "meta": lambda: torch.zeros(3000, 10_000, device="meta"),
        "shared": lambda: [torch.zeros(10_000).expand(100, 10_000)[:] for _ in range(20)],
    }
    return forms[form]()


@pytest.mark.parametrize("form", ["expanded", "sparse", "meta"])
@needs_transformers[1]
def test_in_a_folder_of_transformers(home: Path, form: str) -> None:
    torch: Any = importlib.import_module("torch")
    folder = made_folder(home / "animals")
    state = importlib.import_module("safetensors.torch").load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(state | {"classifier.weight": large(form)}, folder / "pytorch_model.bin")
    with pytest.raises(
        ModelLoadError, match=r"'pytorch_model.bin' says that it has 1?[0-9]{2},[0-9,]+ bytes of numbers"
    ):
        Predictor.load(folder)


@pytest.mark.parametrize("form", ["expanded", "sparse", "meta"])
def test_in_weights_of_a_class(home: Path, form: str) -> None:
    torch: Any = importlib.import_module("torch")
    (home / "my_net.py").write_text(
        "from torch import nn\nclass Net(nn.Sequential):\n    def __init__(self):\n"
        "        super().__init__(nn.Flatten(), nn.Linear(48, 2))\n"
    )
    torch.save({"1.weight": large(form), "1.bias": torch.zeros(2)}, home / "best.pth")
    with pytest.raises(ModelLoadError, match=r"'best.pth' says that it has .*; save it again with whole tensors"):
        Predictor.load(f"{home / 'my_net.py'}:Net", weights=home / "best.pth")


def test_wherever_they_are_in_it() -> None:
    torch: Any = importlib.import_module("torch")
    loaded: dict[str, Any] = {"model": {"layers": large("shared")}}
    loaded["itself"] = loaded
    with pytest.raises(ModelFault):
        check_tensor_sizes(torch, loaded, 10**6)


def test_what_trainings_save_is_taken() -> None:
    torch: Any = importlib.import_module("torch")
    tied = torch.zeros(3000, 1000)
    position_ids = torch.arange(577).expand(1, -1)
    transposed = torch.zeros(3000, 1000).T
    loaded = {"a": tied, "b": tied.view(-1), "ids": position_ids, "t": transposed, "step": 7, "mask": torch.ones(1)}
    check_tensor_sizes(torch, loaded, 10**9)
    check_tensor_sizes(torch, {"mask": torch.zeros(1).expand(8, 577, 577)}, 10**4)
