"""A model's scores beside those of its framework's own pipeline: what is compared, and when they are the same."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvserve.comparison.reference import Reference
from cvserve.errors import CvserveError, InvalidSetting
from cvserve.predictor.predictor import LoadedPredictor
from cvserve.predictor.scores import looks_like_probabilities, to_probabilities

REFERENCE_KINDS = ("auto", "probabilities", "logits", "sigmoid")
_BATCH = 16
# Two classes so close to each other may change places by rounding.
_TIE = 2e-4


@dataclass(frozen=True, slots=True)
class Compared:
    """One picture.

    Attributes:
        path: of its file.
        own: what cvserve answers, probabilities [classes].
        reference: what the framework says, probabilities [classes].
    """

    path: Path
    own: NDArray[np.float64]
    reference: NDArray[np.float64]

    @property
    def difference(self) -> float:
        """The largest one of all scores."""
        return float(np.abs(self.own - self.reference).max())

    @property
    def is_same_class(self) -> bool:
        """Whether the best class is the same, or as good as the framework's best within rounding."""
        return bool(self.reference.max() - self.reference[self.own.argmax()] <= _TIE)


@dataclass(slots=True)
class Comparison:
    """What came out.

    Attributes:
        labels: names of the classes.
        tolerance: largest difference of a score that is still the same.
        kind: how the scores of the reference were read.
        pictures: in their order.
        failed: pictures that got no answer, and why.
    """

    labels: Sequence[str]
    tolerance: float
    kind: str = "probabilities"
    pictures: list[Compared] = field(default_factory=list)
    failed: list[tuple[Path, CvserveError]] = field(default_factory=list)

    @property
    def difference(self) -> float:
        """The largest one of all scores of all pictures."""
        return max((picture.difference for picture in self.pictures), default=0.0)

    @property
    def apart(self) -> list[Compared]:
        """Pictures with a score over the tolerance or another class, those that differ most first."""
        found = [entry for entry in self.pictures if entry.difference > self.tolerance or not entry.is_same_class]
        return sorted(found, key=lambda entry: -entry.difference)

    @property
    def is_same(self) -> bool:
        """Whether every picture got an answer, and all of them are the framework's."""
        return bool(self.pictures) and not self.apart and not self.failed


def compare(
    predictor: LoadedPredictor,
    reference: Reference,
    paths: Sequence[Path],
    tolerance: float,
    kind: str,
    advance: Callable[[int], None] = lambda _done: None,
) -> Comparison:
    """Ask both about all pictures.

    Args:
        predictor: the model, as it is served.
        reference: the framework's own pipeline.
        paths: of the pictures.
        tolerance: largest difference of a score that is still the same.
        kind: of the reference's scores, one of `REFERENCE_KINDS`.
        advance: called with the number of pictures that were just done.

    Raises:
        InvalidSetting: the reference fails, or gives another number of scores than the model has classes.
        ModelError: the model cannot answer at all.
    """
    labels = tuple(predictor.warm_up().labels or ())
    comparison = Comparison(labels, tolerance)
    answered, own, raw = list[Path](), list[NDArray[np.float64]](), list[NDArray[np.float64]]()
    for start in range(0, len(paths), _BATCH):
        batch = paths[start : start + _BATCH]
        outcomes = predictor.predict_each(batch, top_k=max(1, len(labels)), keep_source=False)
        for path, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, CvserveError):
                comparison.failed.append((path, outcome))
            else:
                row = np.zeros(len(labels))
                row[[entry.index for entry in outcome.top]] = [entry.score for entry in outcome.top]
                raw.append(_ask_for_classes(reference, path, len(labels)))
                answered.append(path)
                own.append(row)
            advance(1)
    if raw:
        rows = np.stack(raw)
        comparison.kind = find_kind(rows, predictor.scores) if kind == "auto" else kind
        expected, _, _ = to_probabilities(rows, len(rows), labels, comparison.kind)
        comparison.pictures = [Compared(*parts) for parts in zip(answered, own, expected, strict=True)]
    return comparison


def find_kind(rows: NDArray[np.float64], own: str | None) -> str:
    """How a reference's scores are to be read: probabilities, logits or sigmoid.

    Values that are all in 0…1 are taken as they are, also where they do not sum to 1: those of independent labels.
    Anything else is what the model itself gives, and logits where that gives probabilities.

    Args:
        rows: all that it gave, [N, C].
        own: the kind of scores that the model gives.
    """
    if looks_like_probabilities(rows) or ((rows >= 0) & (rows <= 1)).all():
        return "probabilities"
    return own if own in ("logits", "sigmoid") else "logits"


def _ask_for_classes(reference: Reference, path: Path, classes: int) -> NDArray[np.float64]:
    row = reference.ask(path)
    if len(row) != classes and (len(row), classes) != (1, 2):
        raise InvalidSetting(
            f"--reference {reference.name} gives {len(row)} scores and the model has {classes} classes; "
            "compare a model with the pipeline that it was trained with."
        )
    return row


def describe(comparison: Comparison) -> dict[str, Any]:
    """The comparison as JSON has it."""
    labels = comparison.labels
    return {
        "same": comparison.is_same,
        "difference": comparison.difference,
        "tolerance": comparison.tolerance,
        "reference_scores": comparison.kind,
        "pictures": [
            {
                "file": str(entry.path),
                "difference": entry.difference,
                "reference": _best(entry.reference, labels),
                "cvserve": _best(entry.own, labels),
            }
            for entry in comparison.pictures
        ],
        "failed": [{"file": str(path), "error": error.detail, "code": error.code} for path, error in comparison.failed],
    }


def _best(row: NDArray[np.float64], labels: Sequence[str]) -> dict[str, Any]:
    index = int(row.argmax())
    return {"index": index, "label": labels[index], "score": round(float(row[index]), 6)}
