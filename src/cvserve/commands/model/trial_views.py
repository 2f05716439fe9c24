"""What `cvserve model try` prints: pictures and bars for people, JSON for programs."""

from collections.abc import Iterable, Iterator

from cvserve.commands.model.trial import NamedTrial, Trial
from cvserve.commands.terminal.output import Format, print_json, say, say_cause
from cvserve.errors import CvserveError
from cvserve.predictor.predictor import LoadedPredictor
from cvserve.texts import list_some

_MAX_SHOWN = 3


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
    turned: list[str] = []

    def watch() -> Iterator[NamedTrial]:
        for name, outcome in trials:
            if isinstance(outcome, CvserveError):
                failed.append((name, outcome))
            elif _is_turned(outcome, predictor):
                turned.append(name)
            yield name, outcome

    if as_json:
        print_json((_describe(name, outcome) for name, outcome in watch()), Format.JSON)
    else:
        _draw_all(watch())
    for name, error in failed:
        if not as_json:
            say(f"cvserve: {name}: {error.detail}")
        say_cause(error, f"{name}: ")
    if turned:
        say(_describe_turned(turned, predictor))
    if predictor.guessed and not as_json:
        say(f"guessed: {', '.join(predictor.guessed)} – a wrong guess often keeps the class and spoils the score")
    return bool(failed)


def _draw_all(trials: Iterable[NamedTrial]) -> None:
    from cvserve.commands.model.trial_drawing import draw  # programs that read JSON need no Rich

    for name, outcome in trials:
        if not isinstance(outcome, CvserveError):
            draw(name, outcome)


def _is_turned(trial: Trial, predictor: LoadedPredictor) -> bool:
    """Whether a picture has width and height of the model's input the other way round, which somebody wrote down."""
    width, height = predictor.model.preparation.size
    _, origin = predictor.model.origins.get("input.size", (None, "file"))
    return width != height and origin != "file" and trial.original.size == (height, width)


def _describe_turned(names: list[str], predictor: LoadedPredictor) -> str:
    width, height = predictor.model.preparation.size
    return (
        f"{list_some(names, _MAX_SHOWN)}: {height} x {width} pixels, and [input] size = [{width}, {height}] is the "
        f"other way round; it is [width, height]: write size = [{height}, {width}] if all pictures are like that."
    )


def _describe(name: str, outcome: Trial | CvserveError) -> dict[str, object]:
    if isinstance(outcome, CvserveError):
        return {"file": name, "error": outcome.detail, "code": outcome.code}
    return {"file": name, **outcome.to_dict()}
