"""The three steps that a user-defined class fills in, and what it says of itself."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cvserve.predictor.contract import Inferred, Preparation, Prepared
from cvserve.predictor.images.limits import Want


class Steps:
    """What a subclass of `Predictor` overrides; how the steps are run is `Predictor`'s part.

    Attributes:
        name: shown in answers and history; default: the class's name in lower case.
        labels: names of the classes; default: as the `model.toml` of the module's stem says, else "0", "1", …
        scores: what `infer` gives: `probabilities`, `logits`, `sigmoid` or `labels`; default: seen at warm-up.
        unknown_below: an answer whose best score is less gets a warning, 0…1; default: none does.
        weights: file or folder that `setup` may read, as `--weights` named it; default: none.
        device: where `setup` should put the model, as `--device` said: `cpu`, `cuda:0`, …; a class may name its own.
        half: whether `--half` asks for half precision.
    """

    name: str = ""
    labels: Sequence[str] | None = None
    scores: str | None = None
    unknown_below: float | None = None
    weights: Path | None = None
    device: Any = "cpu"
    half: bool = False

    @cached_property
    def _preparation(self) -> Preparation | None:
        """The preparation that `[input]` describes; None where there is no such section."""
        return None

    def setup(self) -> None:
        """Load what `infer` needs; called once, at the first use."""

    def preprocess(self, image: Image.Image) -> NDArray[Any] | Prepared:
        """The array of one upright picture; the default is as `[input]` says, without one uint8 [H, W, 3]."""
        return np.asarray(image) if self._preparation is None else self._preparation.prepare(image)

    def infer(self, batch: NDArray[Any]) -> NDArray[Any] | Inferred:
        """Scores [N, C] for a batch [N, …]."""
        raise NotImplementedError

    def want(self) -> Want:
        """What to ask of the decoder; the default is as `[input]` says, without one a full decode in RGB."""
        return Want("RGB") if self._preparation is None else self._preparation.want()

    def warm_up_size(self) -> tuple[int, int]:
        """Width and height of a picture that the model surely takes."""
        return (64, 64) if self._preparation is None else self._preparation.size

    @property
    def prepares_itself(self) -> bool:
        """Whether the class has a `preprocess` of its own; where not, `[input]` of its `model.toml` may do it."""
        return type(self).preprocess is not Steps.preprocess
