"""Pictures through the model of the settings, batch by batch: one model call and one commit each."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from cvserve.commands.loading.load import load_for_command
from cvserve.commands.predict.views import Line, print_lines
from cvserve.commands.terminal.output import Format
from cvserve.commands.terminal.pictures import Picture, find_pictures
from cvserve.commands.terminal.progress import show_progress
from cvserve.configuration import load_configuration
from cvserve.errors import CvserveError
from cvserve.history.history import History
from cvserve.predictor.prediction import Prediction
from cvserve.predictor.predictor import Predictor
from cvserve.trust.claims import OF_MODELS

_BATCH = 64
_PROGRESS_FROM = 100


def predict_pictures(images: Sequence[str], flags: Mapping[str, Any], form: Format, *, keeps_history: bool) -> int:
    """Answer each picture on stdout and, if asked for, store the answers in the history.

    Args:
        images: files, folders, or `-` for stdin.
        flags: settings from the command line, raw.
        form: of what is printed.
        keeps_history: whether the answers are stored.

    Returns:
        The exit code: 1 when a picture got no answer.

    Raises:
        InvalidSetting: a setting that cannot be used, or a folder without pictures.
        ModelLoadError: the model cannot be loaded, or nobody vouches for it.
        HistoryError: cvserve.db cannot be used.
    """
    uses = {*OF_MODELS, "home"} if keeps_history else OF_MODELS
    settings = load_configuration(flags, uses=uses).settings
    todo = find_pictures(images)
    predictor = load_for_command(settings)
    with ExitStack() as stack:
        history = stack.enter_context(History.open(settings.database_path)) if keeps_history else None
        failed = print_lines(_answer_batches(predictor, todo, settings.top_k, history), form)
    return 1 if failed else 0


def _answer_batches(
    predictor: Predictor, todo: Sequence[Picture], top_k: int, history: History | None
) -> Iterator[Line]:
    with show_progress(len(todo), is_long=len(todo) >= _PROGRESS_FROM) as advance:
        for start in range(0, len(todo), _BATCH):
            batch = todo[start : start + _BATCH]
            outcomes = predictor.predict_each([entry.source for entry in batch], top_k=top_k, keep_source=False)
            yield from _store_batch(batch, outcomes, history)
            advance(len(batch))


def _store_batch(
    batch: Sequence[Picture], outcomes: Sequence[Prediction | CvserveError], history: History | None
) -> Iterator[Line]:
    good = [
        (entry.name, outcome)
        for entry, outcome in zip(batch, outcomes, strict=True)
        if not isinstance(outcome, CvserveError)
    ]
    stored = iter(
        history.add_many([outcome for _, outcome in good], source="cli", file_names=[name for name, _ in good])
        if history is not None
        else ()
    )
    for entry, outcome in zip(batch, outcomes, strict=True):
        is_stored = history is not None and not isinstance(outcome, CvserveError)
        yield Line(entry.name, outcome, next(stored) if is_stored else None)
