"""A trained PyTorch network in the forms in which people save one. Importing this needs PyTorch."""

import shutil
import warnings
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from frameworks import net
from frameworks.case import Case, soft_max
from frameworks.photos import photos

SIDE_PX = 32
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
INPUT = (
    f'[input]\nsize = [{SIDE_PX}, {SIDE_PX}]\nmode = "RGB"\nresize = "stretch"\ndecode = "exact"\n'
    f"scale = {1 / 255}\nmean = {list(MEAN)}\nstd = {list(STD)}\n"
)
_SPREAD = 2.0


def prepared(photo: Image.Image) -> torch.Tensor:
    """As `Resize((32, 32))`, `ToTensor()` and `Normalize(MEAN, STD)` do it: [3, 32, 32]."""
    pixels = np.asarray(photo.resize((SIDE_PX, SIDE_PX), Image.Resampling.BILINEAR), np.float32) / 255
    values = (pixels - np.asarray(MEAN, np.float32)) / np.asarray(STD, np.float32)
    return torch.from_numpy(values).permute(2, 0, 1)


@cache
def batch() -> torch.Tensor:
    """All photos, prepared."""
    return torch.stack([prepared(photo) for photo in photos().values()])


@cache
def trained() -> Any:
    """A network with the statistics of the photos, whose logits are as far apart as those of trained ones."""
    torch.manual_seed(7)
    made = net.Net()
    with torch.no_grad():
        for _ in range(3):
            made.train()(batch())
        logits = made.eval()(batch())
        factor = _SPREAD / logits.std(dim=0)
        made.head.bias -= logits.mean(dim=0)
        made.head.bias *= factor
        made.head.weight *= factor[:, None]
    return made


def answer(module: Any, photo: Image.Image) -> Any:
    """What the module itself says of a photo: probabilities."""
    with torch.inference_mode():
        return soft_max(module(prepared(photo)[None])[0].float().numpy())


def _with_class(save: Callable[[Path], Any], folder: Path) -> Case:
    """`model.py` with its weights; `save` may give the module that the weights then are of."""
    weights = folder / "best.pth"
    module = save(weights) or trained()
    shutil.copy(net.__file__, folder / "model.py")
    (folder / "model.toml").write_text(INPUT, encoding="utf-8")
    return Case(f"{folder / 'model.py'}:Net", partial(answer, module), {"weights": weights})


def _alone(save: Callable[[Path], Any], suffix: str, folder: Path) -> Case:
    """A file that needs no class."""
    path = folder / f"model{suffix}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's savers talk about themselves
        save(path)
    (folder / "model.toml").write_text(INPUT, encoding="utf-8")
    return Case(path, partial(answer, trained()), {"trust": True})


def _renamed(prefix: str) -> dict[str, Any]:
    return {f"{prefix}{name}": value for name, value in trained().state_dict().items()}


def _save_lightning(path: Path) -> None:
    torch.save(
        {
            "epoch": 3,
            "global_step": 120,
            "pytorch-lightning_version": "2.5.0",
            "state_dict": trained().state_dict(),
            "loops": {},
            "callbacks": {},
            "optimizer_states": [_optimizer().state_dict()],
            "lr_schedulers": [],
            "hyper_parameters": {"lr": 0.001},
        },
        path,
    )


def _save_with_optimizer(path: Path) -> None:
    torch.save({"model": trained().state_dict(), "opt": _optimizer().state_dict()}, path)  # as fastai does


def _save_as(dtype: torch.dtype, path: Path) -> Any:
    """Weights of half the bytes; the module that they make when they are read into one of float32."""
    small = {name: value.to(dtype) if value.is_floating_point() else value for name, value in _renamed("").items()}
    torch.save(small, path)
    module = net.Net()
    module.load_state_dict(small)
    return module.eval()


def _optimizer() -> torch.optim.Optimizer:
    return torch.optim.Adam(trained().parameters(), lr=0.001)


def _script(path: Path) -> None:
    torch.jit.save(torch.jit.script(trained()), path)


def _trace(path: Path) -> None:
    torch.jit.save(torch.jit.trace(trained(), batch()[:1]), path)


def _export(path: Path, free: Any) -> None:
    torch.export.save(
        torch.export.export(trained(), (batch()[:2] if free else batch()[:1],), dynamic_shapes=free), path
    )


FREE_BATCH = ({0: torch.export.Dim("pictures")},)
TORCH: dict[str, Callable[[Path], Case]] = {
    "state dict": partial(_with_class, lambda path: torch.save(trained().state_dict(), path)),
    "Lightning": partial(_with_class, _save_lightning),
    "fastai": partial(_with_class, _save_with_optimizer),
    "DDP": partial(_with_class, lambda path: torch.save(_renamed("module."), path)),
    "compiled": partial(_with_class, lambda path: torch.save(_renamed("_orig_mod."), path)),
    "half": partial(_with_class, partial(_save_as, torch.float16)),
    "bf16": partial(_with_class, partial(_save_as, torch.bfloat16)),
    "TorchScript": partial(_alone, _script, ".pt"),
    "TorchScript, traced": partial(_alone, _trace, ".pt"),
    "torch.export": partial(_alone, lambda path: _export(path, FREE_BATCH), ".pt2"),
    "torch.export, one at a time": partial(_alone, lambda path: _export(path, None), ".pt2"),
}
