"""What a model said about one picture: plain numbers and texts that can cross any border."""

from dataclasses import dataclass, field
from typing import Any

from cvserve.answer import PREDICTED_MEMBERS, describe_class, describe_model
from cvserve.predictor.images.info import ImageInfo


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Which model answered.

    Attributes:
        name: from `model.toml`, else the file's stem.
        version: the first 12 hex digits of `sha256`.
        sha256: hash of all that decides its answers, 64 hex digits: of the file, or, where there is more than a file
            (`model.toml`, labels, arguments, weights, other files, the name of a class), of all of it.
        format: `builtin`, `sklearn`, …
        device: on which it computes: `cpu`, `cuda:0`, …
    """

    name: str
    sha256: str
    format: str
    device: str = "cpu"

    @property
    def version(self) -> str:
        """The first 12 hex digits of its SHA-256."""
        return self.sha256[:12]

    def to_dict(self) -> dict[str, str]:
        """The member `model` in JSON."""
        return describe_model(self.name, self.version)


@dataclass(frozen=True, slots=True)
class ClassScore:
    """One class and its score.

    Attributes:
        index: class index, from 0.
        label: name of the class.
        score: probability 0…1, rounded to 6 decimals.
    """

    index: int
    label: str
    score: float

    def to_dict(self) -> dict[str, Any]:
        """The entry of `top` in JSON."""
        return describe_class(self)


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer for one picture.

    Attributes:
        result: index of the best class, from 0.
        label: its name.
        score: its probability, 0…1, rounded to 6 decimals.
        top: the best classes, best first; as many as were asked for, at most all.
        model: which model answered.
        warning: one sentence when the model says that the picture is not of its kind, else None.
        timing_ms: milliseconds a step: `decode` (with preparation) and `infer` (of the whole batch); a
            server adds `queue`.
        image: size, format and hash of the picture.
        source: the picture itself, for the notebook; None when it came through a server.
    """

    result: int
    label: str
    score: float
    top: tuple[ClassScore, ...]
    model: ModelInfo
    warning: str | None
    timing_ms: dict[str, float]
    image: ImageInfo
    source: Any = field(default=None, repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """The JSON of the server's answer, without `id`, `created_at` and the times only a server has."""
        members = {name: getattr(self, name) for name in PREDICTED_MEMBERS}
        top, model = [entry.to_dict() for entry in self.top], self.model.to_dict()
        return members | {"top": top, "model": model, "timing_ms": dict(self.timing_ms)}

    def with_queue_ms(self, queue_ms: float) -> "Prediction":
        """The same answer with one time more: the milliseconds for which its picture waited in a server's queue.

        Put together by hand: it is done for each request, and `dataclasses.replace` takes twice as long.
        """
        timing_ms = {**self.timing_ms, "queue": queue_ms}
        return Prediction(
            self.result,
            self.label,
            self.score,
            self.top,
            self.model,
            self.warning,
            timing_ms,
            self.image,
            self.source,
        )

    def _repr_html_(self) -> str:
        from cvserve.predictor.notebook import render_prediction  # only a notebook needs it

        names = [(entry.label, entry.score) for entry in self.top]
        return render_prediction(self.source, names, self.warning, f"{self.model.name} {self.model.version}")
