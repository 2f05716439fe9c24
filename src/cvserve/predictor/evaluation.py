"""How often a model is right about pictures whose class is known."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cvserve.errors import CvserveError
from cvserve.predictor.labelled import LabelledPicture
from cvserve.predictor.prediction import Prediction
from cvserve.predictor.predictor import Predictor

_BATCH = 64


@dataclass(frozen=True, slots=True)
class Mistake:
    """A picture that the model took for something else.

    Attributes:
        path: of the picture.
        truth: index of its class.
        predicted: index of the class that it was taken for.
        score: of that class, 0…1.
    """

    path: Path
    truth: int
    predicted: int
    score: float


@dataclass(frozen=True, slots=True)
class ClassCounts:
    """How often pictures are of one class, and how often the model says so.

    Attributes:
        index: of the class.
        pictures: that are of it.
        right: of these, taken for it.
        predicted: pictures of any class that were taken for it.
    """

    index: int
    pictures: int
    right: int
    predicted: int

    @property
    def recall(self) -> float | None:
        """Share of its pictures that were found, 0…1; None: it has none."""
        return self.right / self.pictures if self.pictures else None

    @property
    def precision(self) -> float | None:
        """Share of what was taken for it that is of it, 0…1; None: nothing was."""
        return self.right / self.predicted if self.predicted else None


@dataclass(slots=True)
class Evaluation:
    """What came of the pictures so far.

    Attributes:
        labels: names of the classes.
        confusion: number of pictures by (true class, predicted class).
        mistakes: in the order of the pictures.
        failed: pictures that got no answer, and why; they count neither as right nor as wrong.
    """

    labels: Sequence[str]
    confusion: Counter[tuple[int, int]] = field(default_factory=Counter)
    mistakes: list[Mistake] = field(default_factory=list)
    failed: list[tuple[Path, CvserveError]] = field(default_factory=list)

    def add(self, picture: LabelledPicture, outcome: Prediction | CvserveError) -> None:
        """Count one picture.

        Args:
            picture: with its true class.
            outcome: the answer, or why there is none.
        """
        if isinstance(outcome, CvserveError):
            self.failed.append((picture.path, outcome))
            return
        self.confusion[picture.truth, outcome.result] += 1
        if outcome.result != picture.truth:
            self.mistakes.append(Mistake(picture.path, picture.truth, outcome.result, outcome.score))

    @property
    def answered(self) -> int:
        """Pictures that got an answer."""
        return self.confusion.total()

    @property
    def right(self) -> int:
        """Of these, pictures of which the class was found."""
        return self.answered - len(self.mistakes)

    @property
    def accuracy(self) -> float | None:
        """Share of the answers that are right, 0…1; None: there was none."""
        return self.right / self.answered if self.answered else None

    def classes(self) -> list[ClassCounts]:
        """Every class that is somebody's truth or somebody's answer, in the order of the indices."""
        pictures, predicted = Counter[int](), Counter[int]()
        for (truth, answer), count in self.confusion.items():
            pictures[truth] += count
            predicted[answer] += count
        seen = sorted(pictures.keys() | predicted.keys())
        return [ClassCounts(at, pictures[at], self.confusion[at, at], predicted[at]) for at in seen]

    def worst(self, count: int) -> list[Mistake]:
        """The mistakes that the model was surest of, at most `count`."""
        return sorted(self.mistakes, key=lambda mistake: -mistake.score)[:count]


def evaluate(
    predictor: Predictor,
    pictures: Sequence[LabelledPicture],
    labels: Sequence[str],
    advance: Callable[[int], None] = lambda _done: None,
) -> Evaluation:
    """Ask the model about all pictures, in batches of 64, and count how often it is right.

    Args:
        predictor: the model.
        pictures: with classes by index.
        labels: names of the classes.
        advance: called after each batch with the number of pictures in it.
    """
    evaluation = Evaluation(labels)
    for batch in _batches(pictures):
        outcomes = predictor.predict_each([picture.path for picture in batch], top_k=1, keep_source=False)
        for picture, outcome in zip(batch, outcomes, strict=True):
            evaluation.add(picture, outcome)
        advance(len(batch))
    return evaluation


def _batches(pictures: Sequence[LabelledPicture]) -> Iterator[Sequence[LabelledPicture]]:
    for start in range(0, len(pictures), _BATCH):
        yield pictures[start : start + _BATCH]
