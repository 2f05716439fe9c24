"""What the steps of a model may give beside bare arrays, and what a loaded model file is made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from numpy.typing import NDArray
from PIL import Image

from cvserve.predictor.images.limits import Want
from cvserve.predictor.prediction import ModelInfo


class ModelVersionWarning(UserWarning):
    """The file was saved with another version of its library than the one that reads it."""


class Prepared(NamedTuple):
    """What `preprocess` may return instead of a bare array.

    Attributes:
        array: of one picture, without the batch dimension.
        warning: one sentence when the picture is not of the model's kind, else None.
    """

    array: NDArray[Any]
    warning: str | None = None


class Inferred(NamedTuple):
    """What `infer` may return instead of bare scores.

    Attributes:
        scores: [N, C].
        warnings: for each picture one sentence or None.
    """

    scores: NDArray[Any]
    warnings: Sequence[str | None]


def scores_of(answer: Any) -> Any:
    """The scores alone of what `infer` gave, with warnings or without."""
    return answer.scores if isinstance(answer, Inferred) else answer


class Preparation(Protocol):
    """From an upright picture to the array of one picture; `InputSpec` is one."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels of a picture that it surely takes."""

    def want(self) -> Want:
        """What to ask of the decoder."""

    def prepare(self, image: Image.Image) -> NDArray[Any] | Prepared:
        """The array of one picture, without the batch dimension."""

    def render(self, array: NDArray[Any]) -> Image.Image:
        """What the model sees, as a picture for people: `prepare` backwards, as far as that goes."""


class Backend(Protocol):
    """One model in one format: the adapter between an array and its scores."""

    def infer(self, batch: NDArray[Any]) -> NDArray[Any] | Inferred:
        """Scores [N, C] for a batch [N, …]."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model file with all that is needed to feed it and to read its answers.

    Attributes:
        info: name, hash and format.
        preparation: from picture to array.
        backend: from arrays to scores.
        labels: names of the classes; None when neither the file nor its config says.
        scores: `probabilities`, `logits`, `sigmoid` or `labels`; None: seen at warm-up.
        origins: for each property (`name`, `labels`, `input.size`, `output.scores`, …) its value and where it
            came from: `file`, `model.toml`, `labels.txt`, `default` or `guessed`.
        unknown_below: the answer gets a warning when its best score is less; None: never.
        parts: what was read beside the file, each with its SHA-256, as `ModelFile` has it.
    """

    info: ModelInfo
    preparation: Preparation
    backend: Backend
    labels: tuple[str, ...] | None
    scores: str | None
    origins: dict[str, tuple[Any, str]]
    unknown_below: float | None = None
    parts: tuple[tuple[str, str], ...] = ()

    @property
    def guessed(self) -> tuple[str, ...]:
        """Short names of what was neither said nor read from the file, e.g. `("scale", "resize")`."""
        return tuple(key.rpartition(".")[2] for key, (_, origin) in self.origins.items() if origin == "guessed")
