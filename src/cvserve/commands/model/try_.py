"""`cvserve model try`: pictures one by one through the steps of a model, with what comes out in between."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cvserve.commands.loading.load import load_for_command
from cvserve.commands.model.trial import save_trials, try_pictures
from cvserve.commands.model.trial_views import show_trials
from cvserve.commands.terminal.pictures import find_pictures
from cvserve.configuration import load_configuration
from cvserve.trust.claims import OF_MODELS


def try_model(flags: Mapping[str, Any], images: Sequence[str], save: str | None, *, as_json: bool) -> int:
    """Show what the model sees of each picture, prepared as `serve` would with the same settings.

    Args:
        flags: settings from the command line, raw.
        images: files, folders, or `-` for stdin.
        save: folder into which each picture is written beside what the model sees of it; None: nothing is written.
        as_json: one object a picture instead of drawings.

    Returns:
        The exit code: 1 when a picture got no answer.

    Raises:
        InvalidSetting: a setting that cannot be used, or a folder that holds no pictures or takes none.
        ModelLoadError: the model cannot be loaded, or nobody vouches for it.
    """
    settings = load_configuration(flags, uses=OF_MODELS).settings
    predictor = load_for_command(settings)
    trials = try_pictures(predictor, find_pictures(images), settings.top_k)
    if save is not None:
        trials = save_trials(trials, Path(save))
    return 1 if show_trials(trials, predictor, as_json=as_json) else 0
