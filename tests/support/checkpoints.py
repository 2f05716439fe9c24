"""A folder with `model.py`, and checkpoints for its class in the forms that scripts of training write."""

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cvserve.errors import CvserveError, ModelLoadError
from cvserve.predictor.predictor import LoadedPredictor
from support.models import load_model
from support.torch_models import SIDE_PX, probabilities

PICTURES = list(np.random.default_rng(3).integers(0, 256, (3, SIDE_PX, SIDE_PX, 3), dtype=np.uint8))


class Checkpoints:
    """Weights for `BaseModel` in a folder.

    Args:
        folder: with `model.py` and `model.toml`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, thing: Any, name: str = "best.pth") -> Path:
        """By `torch.save`, or by safetensors when the name says so."""
        path = self.folder / name
        if path.suffix == ".safetensors":
            import safetensors.torch

            safetensors.torch.save_file(thing, path)
        else:
            import torch

            torch.save(thing, path)
        return path

    def load(self, weights: Path | None, name: str = "BaseModel") -> LoadedPredictor:
        return load_model_of(f"{self.folder / 'model.py'}:{name}", weights)

    def refuse(self, weights: Path | None, name: str = "BaseModel") -> str:
        return refusal(f"{self.folder / 'model.py'}:{name}", weights=weights)

    def try_to_load(self, weights: Path) -> None:
        """Load what may be damaged: it works, or is refused by an error of ours."""
        with contextlib.suppress(ModelLoadError):
            self.load(weights)


def load_model_of(model: str, weights: Path | None) -> LoadedPredictor:
    from cvserve import Predictor

    return Predictor.load(model, weights=weights)


def refusal(model: str | Path, *, code: int = 5, **options: Any) -> str:
    """The one sentence with which a model is refused."""
    with pytest.raises(CvserveError if code != 5 else ModelLoadError) as caught:
        load_model(model, **options)
    assert caught.value.exit_code == code
    assert "\n" not in str(caught.value)
    return str(caught.value)


def difference(predictor: LoadedPredictor, net: Any) -> float:
    """By how much the scores differ from those of PyTorch itself, at most."""
    answers = predictor.predict_batch(PICTURES, top_k=99)
    found = [[entry.score for entry in sorted(answer.top, key=lambda entry: entry.index)] for answer in answers]
    values = (np.stack(PICTURES) / 255 - [0.5, 0.4, 0.3]) / 0.25
    batch: NDArray[Any] = np.ascontiguousarray(values.transpose(0, 3, 1, 2), dtype=np.float32)
    return float(np.abs(np.array(found) - probabilities(net, batch)).max())
