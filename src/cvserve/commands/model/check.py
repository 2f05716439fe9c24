"""`cvserve model check`: a model against labelled pictures, with an exit code for scripts."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cvserve.commands.loading.load import load_for_command
from cvserve.commands.model.evaluation_views import show_evaluation
from cvserve.commands.terminal.options import parse_option
from cvserve.commands.terminal.output import say, say_cause
from cvserve.commands.terminal.progress import show_progress
from cvserve.configuration import load_configuration
from cvserve.predictor.evaluation import Evaluation, evaluate
from cvserve.predictor.labelled import read_labelled
from cvserve.predictor.predictor import Predictor
from cvserve.texts import list_some
from cvserve.trust.claims import OF_MODELS
from cvserve.values import whole

_PROGRESS_FROM = 100
_MAX_NAMES = 5
_MAX_CAUSES = 5


def check_model(flags: Mapping[str, Any], pictures: str, min_accuracy: str | None, worst: str, *, as_json: bool) -> int:
    """Ask about pictures whose class is known, print how often the model is right, and say why the answer is no.

    Args:
        flags: settings from the command line, raw.
        pictures: a folder with a folder for each class, or a CSV.
        min_accuracy: such as `0.9` or `90%`, raw; None: any will do.
        worst: how many mistakes are printed, raw.
        as_json: one object instead of tables.

    Returns:
        The exit code: 1 when a picture got no answer, or the accuracy is under `min_accuracy`.

    Raises:
        InvalidSetting: a setting or an option that cannot be used, no labelled pictures, or classes that the model
            does not know.
        ModelLoadError: the model cannot be loaded, or nobody vouches for it.
        ModelError: the model cannot answer.
    """
    wanted = None if min_accuracy is None else parse_option("--min-accuracy", min_accuracy, parse_share)
    max_mistakes = parse_option("--worst", worst, whole(0, 1_000_000_000))
    settings = load_configuration(flags, uses=OF_MODELS).settings
    evaluation = _evaluate_on(load_for_command(settings), Path(pictures))
    reasons = explain_refusal(evaluation, wanted)
    show_evaluation(evaluation, reasons, max_mistakes, as_json=as_json)
    for reason in reasons:
        say(f"cvserve: {reason}")
    for path, error in evaluation.failed[:_MAX_CAUSES]:
        say_cause(error, f"{path}: ")
    return 1 if reasons else 0


def _evaluate_on(predictor: Predictor, source: Path) -> Evaluation:
    labels = tuple(predictor.warm_up().labels or ())
    pictures = read_labelled(source, labels)
    with show_progress(len(pictures), is_long=len(pictures) >= _PROGRESS_FROM) as advance:
        return evaluate(predictor, pictures, labels, advance)


def parse_share(text: str) -> float:
    """Read a share from 0 to 1, as `0.9` or `90%`.

    Raises:
        ValueError: it is none. `nan` is none either: no accuracy is under it, so everything would pass.
    """
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise ValueError("give a number from 0 to 1, or a percentage")
    return share


def explain_refusal(evaluation: Evaluation, min_accuracy: float | None) -> list[str]:
    """Say why the exit code is not 0.

    Args:
        evaluation: of all pictures.
        min_accuracy: 0…1; None: any will do.

    Returns:
        A sentence for each reason; none when every picture got an answer and enough of them are right.
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
