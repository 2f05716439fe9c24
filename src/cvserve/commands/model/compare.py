"""`cvserve model compare`: a model's scores beside those of the framework that it comes from."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cvserve.commands.loading.load import load_for_command
from cvserve.commands.model.comparison_views import show_comparison
from cvserve.commands.terminal.options import parse_option
from cvserve.commands.terminal.output import say, say_cause
from cvserve.commands.terminal.pictures import find_pictures
from cvserve.commands.terminal.progress import show_progress
from cvserve.comparison.causes import Finding, find_cause
from cvserve.comparison.comparison import REFERENCE_KINDS, Comparison, compare
from cvserve.comparison.reference import load_reference
from cvserve.configuration import load_configuration
from cvserve.errors import InvalidSetting
from cvserve.predictor.predictor import LoadedPredictor
from cvserve.trust.claims import OF_MODELS
from cvserve.values import whole

_PROGRESS_FROM = 10
_MAX_CAUSES = 5


def compare_model(
    flags: Mapping[str, Any],
    images: Sequence[str],
    reference: str | None,
    options: Mapping[str, str],
    *,
    as_json: bool,
) -> int:
    """Ask the model and the framework's own pipeline about the same pictures, and print both answers.

    Args:
        flags: settings from the command line, raw.
        images: files and folders, raw.
        reference: a function, as `train.py:predict`, which is run.
        options: `tolerance`, `kind` and `most`, raw.
        as_json: one object instead of a table.

    Returns:
        The exit code: 1 when a score is further apart than the tolerance, a class differs, or a picture got no answer.

    Raises:
        InvalidSetting: an option that cannot be used, no pictures, or a reference that cannot be run or fails.
        ModelLoadError: the model cannot be loaded, or nobody vouches for it.
        ModelError: the model cannot answer.
    """
    if reference is None:
        raise InvalidSetting("compare needs --reference; name the function that asks your framework: train.py:predict.")
    tolerance = parse_option("--tolerance", options["tolerance"], parse_tolerance)
    kind = parse_option("--reference-scores", options["kind"], _parse_kind)
    most = parse_option("--most", options["most"], whole(0, 1_000_000_000))
    paths = _find_files(images)
    predictor = load_for_command(load_configuration(flags, uses=OF_MODELS).settings)
    asked = load_reference(reference)
    with show_progress(len(paths), is_long=len(paths) >= _PROGRESS_FROM) as advance:
        comparison = compare(predictor, asked, paths, tolerance, kind, advance)
    show_comparison(comparison, _explain(predictor, comparison), most, as_json=as_json)
    for path, error in comparison.failed[:_MAX_CAUSES]:
        say(f"cvserve: {path}: {error.detail}")
        say_cause(error, f"{path}: ")
    return 0 if comparison.is_same else 1


def parse_tolerance(text: str) -> float:
    """Read how far scores may be apart, as `1e-4`.

    Raises:
        ValueError: it is no number from 0 to 1. `nan` is none either: nothing is more than it.
    """
    try:
        tolerance = float(text)
    except ValueError:
        tolerance = math.nan
    if not 0 <= tolerance <= 1:
        raise ValueError("give a number from 0 to 1, such as 1e-4")
    return tolerance


def _parse_kind(text: str) -> str:
    if text not in REFERENCE_KINDS:
        raise ValueError(f"use one of {', '.join(REFERENCE_KINDS)}")
    return text


def _find_files(images: Sequence[str]) -> list[Path]:
    """The files of all pictures; stdin has none that a reference could open."""
    sources = [picture.source for picture in find_pictures(images) if isinstance(picture.source, Path)]
    if not sources:
        raise InvalidSetting("compare needs pictures in files; name some, or a folder.")
    return sources


def _explain(predictor: LoadedPredictor, comparison: Comparison) -> Finding:
    if comparison.apart:
        say("cvserve: the scores differ; trying what is most often wrong ...")
    return find_cause(predictor, comparison)
