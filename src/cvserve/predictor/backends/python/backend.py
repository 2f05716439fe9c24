"""An object with the three steps, seen as the parts of a loaded model."""

from typing import Any

from numpy.typing import NDArray
from PIL import Image

from cvserve.errors import CvserveError
from cvserve.predictor.batch import decode_batch
from cvserve.predictor.contract import Inferred, Prepared
from cvserve.predictor.images.decode import make_sample
from cvserve.predictor.images.limits import Limits, Want
from cvserve.predictor.images.render import render_values
from cvserve.predictor.steps import Steps

_SIZE_PX = (64, 64)


class UserPreparation:
    """The `preprocess` of a user-defined class.

    Attributes:
        own: an object of the class.
    """

    def __init__(self, own: Any) -> None:
        self.own = own

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels that the object's `warm_up_size` gives, else 64 by 64."""
        return self.own.warm_up_size() if isinstance(self.own, Steps) else _SIZE_PX

    def want(self) -> Want:
        """What the object's `want` asks of the decoder, else RGB at full size."""
        return self.own.want() if isinstance(self.own, Steps) else Want("RGB")

    def prepare(self, image: Image.Image) -> NDArray[Any] | Prepared:
        """The array of one picture, without the batch dimension."""
        prepared: NDArray[Any] | Prepared = self.own.preprocess(image)
        return prepared

    def render(self, array: NDArray[Any]) -> Image.Image:
        """The array as a picture, darkest value black; only the class knows what its values mean."""
        return render_values(array)

    def prepare_sample(self) -> NDArray[Any]:
        """A batch of one grey picture, decoded and prepared as a real one.

        Raises:
            Exception: whatever `preprocess` raises.
        """
        limits = Limits()
        picture = make_sample(self.size, limits.formats[0])
        (outcome,) = decode_batch([picture], self.want(), limits, self.prepare)
        if isinstance(outcome, CvserveError):
            raise outcome.__cause__ or outcome
        return outcome.array[None]


class UserBackend:
    """The `infer` of a user-defined class.

    Attributes:
        own: an object of the class.
    """

    def __init__(self, own: Any) -> None:
        self.own = own

    def infer(self, batch: NDArray[Any]) -> NDArray[Any] | Inferred:
        """Scores [N, C] for a batch [N, …]."""
        scores: NDArray[Any] | Inferred = self.own.infer(batch)
        return scores


def set_up(own: Any) -> None:
    """Run the `setup` of an object, once in the life of a `Predictor`; an object without one needs none.

    Raises:
        Exception: whatever it raises.
    """
    if hasattr(own, "ensure_set_up"):
        own.ensure_set_up()
    elif hasattr(own, "setup"):
        own.setup()
