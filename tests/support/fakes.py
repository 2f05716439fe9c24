"""Models whose answers are known beforehand."""

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cvserve.predictor.images.limits import Want
from cvserve.predictor.predictor import Predictor


class BrightnessPredictor(Predictor):
    """Four classes by the mean grey level: 0–63, 64–127, 128–191, 192–255."""

    name = "brightness"
    labels: Sequence[str] | None = ("black", "dark", "light", "white")
    scores: str | None = "probabilities"

    def __init__(self) -> None:
        super().__init__()
        self.batch_sizes: list[int] = []

    def want(self) -> Want:
        return Want("L")

    def preprocess(self, image: Image.Image) -> NDArray[Any]:
        return np.array([np.asarray(image, dtype=np.float64).mean()])

    def infer(self, batch: NDArray[Any]) -> NDArray[Any]:
        self.batch_sizes.append(len(batch))
        scores = np.full((len(batch), 4), 0.1)
        scores[np.arange(len(batch)), np.minimum(batch[:, 0] // 64, 3).astype(int)] = 0.7
        return scores


class GatedPredictor(BrightnessPredictor):
    """Waits in `infer` until the gate is opened; tells when somebody is in there, and counts who came."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.entries = threading.Semaphore(0)

    def warm_up(self) -> "GatedPredictor":
        return self

    def infer(self, batch: NDArray[Any]) -> NDArray[Any]:
        self.entered.set()
        self.entries.release()
        assert self.gate.wait(timeout=30), "nobody opened the gate"
        return super().infer(batch)


class FailingPredictor(BrightnessPredictor):
    """Raises whenever a white picture is in the batch."""

    def infer(self, batch: NDArray[Any]) -> NDArray[Any]:
        if (batch > 192).any():
            raise RuntimeError("secret text of a library /etc/passwd")
        return super().infer(batch)


class ScriptedPredictor(BrightnessPredictor):
    """Gives what it was told to give, whatever the picture."""

    def __init__(self, scores: Any) -> None:
        super().__init__()
        self.scripted = scores
        self.labels = None

    def warm_up(self) -> "ScriptedPredictor":
        return self

    def infer(self, batch: NDArray[Any]) -> Any:
        return self.scripted
