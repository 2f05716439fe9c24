"""A model against labelled pictures: with a progress bar, and with what a gate in a script wants to hear."""

from pathlib import Path

from cvserve.commands.terminal.progress import show_progress
from cvserve.predictor.evaluation import Evaluation, evaluate
from cvserve.predictor.labelled import read_labelled
from cvserve.predictor.predictor import Predictor
from cvserve.texts import list_some

_PROGRESS_FROM = 100
_MAX_NAMES = 5


def checked_on(predictor: Predictor, source: Path) -> Evaluation:
    """Ask about every picture of a folder or CSV.

    Raises:
        InvalidSetting: no labelled pictures, or of classes that the model does not know.
        ModelError: the model cannot answer.
    """
    labels = tuple(predictor.warm_up().labels or ())
    pictures = read_labelled(source, labels)
    with show_progress(len(pictures), is_long=len(pictures) >= _PROGRESS_FROM) as advance:
        return evaluate(predictor, pictures, labels, advance)


def parse_share(text: str) -> float:
    """A share 0…1 from `0.9` or `90%`.

    Raises:
        ValueError: it is none; nothing is under `nan`, so a gate of it would let everything pass.
    """
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise ValueError("give a number from 0 to 1, or a percentage")
    return share


def refusals(evaluation: Evaluation, min_accuracy: float | None) -> list[str]:
    """Why the answer is no, a sentence each; none when it is yes.

    Args:
        evaluation: done.
        min_accuracy: 0…1; None: any will do.
    """
    reasons = []
    accuracy = evaluation.accuracy
    if evaluation.failed:
        names = list_some((f"'{path}' ({error.code})" for path, error in evaluation.failed), _MAX_NAMES)
        reasons.append(f"{len(evaluation.failed)} pictures got no answer: {names}; repair or remove them.")
    if min_accuracy is not None and (accuracy is None or accuracy < min_accuracy):
        share = "unknown" if accuracy is None else f"{accuracy:.6g} ({evaluation.right:,} of {evaluation.answered:,})"
        reasons.append(f"the accuracy is {share}, and --min-accuracy asks for {min_accuracy:g}.")
    return reasons
