"""What `cvserve model try` prints: pictures and bars for people, JSON for programs."""

from collections.abc import Iterable, Iterator

from cvserve.commands.model.trial import NamedTrial, Trial
from cvserve.commands.terminal.output import Format, print_json, say, say_cause
from cvserve.errors import CvserveError
from cvserve.predictor.predictor import LoadedPredictor


def show_trials(trials: Iterable[NamedTrial], predictor: LoadedPredictor, *, as_json: bool) -> bool:
    """Print each picture as soon as it is done, then name on stderr what failed and what was guessed.

    Args:
        trials: names and outcomes; an iterator is read as it is printed.
        predictor: that ran them.
        as_json: a list of objects instead of drawings.

    Returns:
        Whether one failed.
    """
    failed: list[tuple[str, CvserveError]] = []

    def watch() -> Iterator[NamedTrial]:
        for name, outcome in trials:
            if isinstance(outcome, CvserveError):
                failed.append((name, outcome))
            yield name, outcome

    if as_json:
        print_json((_describe(name, outcome) for name, outcome in watch()), Format.JSON)
        for name, error in failed:
            say_cause(error, f"{name}: ")
        return bool(failed)
    from cvserve.commands.model.trial_drawing import draw  # programs that read JSON need no Rich

    for name, outcome in watch():
        if not isinstance(outcome, CvserveError):
            draw(name, outcome)
    for name, error in failed:
        say(f"cvserve: {name}: {error.detail}")
        say_cause(error, f"{name}: ")
    if predictor.guessed:
        say(f"guessed: {', '.join(predictor.guessed)} – a wrong guess often keeps the class and spoils the score")
    return bool(failed)


def _describe(name: str, outcome: Trial | CvserveError) -> dict[str, object]:
    if isinstance(outcome, CvserveError):
        return {"file": name, "error": outcome.detail, "code": outcome.code}
    return {"file": name, **outcome.to_dict()}
