"""An object with the three steps, seen as the parts of a loaded model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cvserve.errors import CvserveError, ModelError, ModelLoadError
from cvserve.predictor import scores as score_rules
from cvserve.predictor.batch import decoded
from cvserve.predictor.contract import Inferred, Prepared, scores_of
from cvserve.predictor.images.decode import sample_picture
from cvserve.predictor.images.limits import Limits, Want
from cvserve.predictor.steps import Steps
from cvserve.predictor.user_code import blamed

_SIZE_PX = (64, 64)


class OwnPreparation:
    """The object's own `preprocess`.

    Args:
        own: the object.
    """

    def __init__(self, own: Any) -> None:
        self._own = own

    @property
    def size(self) -> tuple[int, int]:
        """As its `warm_up_size` says, else 64 by 64."""
        return self._own.warm_up_size() if isinstance(self._own, Steps) else _SIZE_PX

    def want(self) -> Want:
        """As its `want` says, else RGB at full size."""
        return self._own.want() if isinstance(self._own, Steps) else Want("RGB")

    def prepare(self, image: Image.Image) -> NDArray[Any] | Prepared:
        """What `preprocess` gives."""
        prepared: NDArray[Any] | Prepared = self._own.preprocess(image)
        return prepared

    def seen(self, array: NDArray[Any]) -> Image.Image:
        """The array as a picture, darkest value black; only the class knows what its values mean."""
        values = np.asarray(array, dtype=np.float64)
        values = values[:, :, None] if values.ndim == 2 else values
        if values.ndim == 3 and values.shape[0] in (1, 3) and values.shape[2] not in (1, 3):
            values = values.transpose(1, 2, 0)
        if values.ndim != 3 or values.shape[2] not in (1, 3):
            values = values.reshape(1, -1, 1)
        span = float(np.ptp(values)) or 1.0
        pixels = np.rint((values - values.min()) / span * 255).astype(np.uint8)
        return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)


class OwnBackend:
    """The object's own `infer`.

    Args:
        own: the object.
        title: whose code it is, for sentences about its mistakes.
        folder: of its code, likewise.

    Attributes:
        classes: how many scores it gives for a picture; known once it was tried.
    """

    def __init__(self, own: Any, title: str, folder: Path) -> None:
        self._own = own
        self._title = title
        self._folder = folder
        self.classes: int | None = None

    def infer(self, batch: NDArray[Any]) -> NDArray[Any] | Inferred:
        """What `infer` gives."""
        scores: NDArray[Any] | Inferred = self._own.infer(batch)
        return scores

    def set_up(self) -> None:
        """Run `setup`, once in the life of a `Predictor`.

        Raises:
            ModelLoadError: a mistake in it.
        """
        with blamed(self._title, "setup", self._folder):
            if hasattr(self._own, "ensure_set_up"):
                self._own.ensure_set_up()
            elif hasattr(self._own, "setup"):
                self._own.setup()

    def try_with(self, batch: NDArray[Any], kind: str | None) -> None:
        """Run it once on a prepared batch of one picture, and count its classes.

        Args:
            batch: a prepared picture.
            kind: of its scores, if that was said.

        Raises:
            ModelLoadError: a mistake in it, or it gives no scores.
        """
        with blamed(self._title, "infer", self._folder):
            # A tensor that wants a gradient, say, fails only here, in words of its own.
            raw = np.asarray(scores_of(self.infer(batch)), dtype=np.float64)
        try:
            self.classes = score_rules.classes_in(score_rules.checked(raw, len(batch), None), kind)
        except ModelError as error:
            raise ModelLoadError(f"{self._title} cannot be served: {error}") from None

    def check_labels(self, labels: Sequence[str] | None, source: str) -> None:
        """Compare labels with the scores that it gave.

        Args:
            labels: of the classes; None: nobody said.
            source: name of the file that says them.

        Raises:
            ModelLoadError: another number.
        """
        if labels is not None and self.classes != len(labels):
            raise ModelLoadError(
                f"{source} has {len(labels)} labels, but {self._title} gives {self.classes} scores; "
                "write one label for each class, in the order of their indices."
            )


def sample_of(preparation: OwnPreparation, title: str, folder: Path) -> NDArray[Any]:
    """A batch of one grey picture, decoded and prepared as a real one.

    Raises:
        ModelLoadError: a mistake in `preprocess`.
    """
    limits = Limits()
    with blamed(title, "preprocess", folder):
        picture = sample_picture(preparation.size, limits.formats[0])
        (outcome,) = decoded([picture], preparation.want(), limits, preparation.prepare)
        if isinstance(outcome, CvserveError):
            raise outcome.__cause__ or outcome
    return outcome.array[None]
