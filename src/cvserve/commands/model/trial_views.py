"""What `cvserve model try` prints: pictures and bars for people, JSON for programs."""

from collections.abc import Iterable, Iterator

from cvserve.commands.model.trial import Trial, Tried
from cvserve.commands.terminal.output import Format, print_json, say, say_cause
from cvserve.errors import CvserveError
from cvserve.predictor.predictor import LoadedPredictor


def show(tried: Iterable[Tried], predictor: LoadedPredictor, *, as_json: bool) -> bool:
    """Each picture as soon as it is done; whether one failed."""
    failed: list[tuple[str, CvserveError]] = []

    def seen() -> Iterator[Tried]:
        for name, outcome in tried:
            if isinstance(outcome, CvserveError):
                failed.append((name, outcome))
            yield name, outcome

    if as_json:
        print_json((_entry(name, outcome) for name, outcome in seen()), Format.JSON)
        for name, error in failed:
            say_cause(error, f"{name}: ")
        return bool(failed)
    from cvserve.commands.model.trial_drawing import draw  # programs that read JSON need no Rich

    for name, outcome in seen():
        if not isinstance(outcome, CvserveError):
            draw(name, outcome)
    for name, error in failed:
        say(f"cvserve: {name}: {error.detail}")
        say_cause(error, f"{name}: ")
    if predictor.guessed:
        say(f"guessed: {', '.join(predictor.guessed)} - a wrong guess often keeps the class and spoils the score")
    return bool(failed)


def _entry(name: str, outcome: Trial | CvserveError) -> dict[str, object]:
    if isinstance(outcome, CvserveError):
        return {"file": name, "error": outcome.detail, "code": outcome.code}
    return {"file": name, **outcome.to_dict()}
