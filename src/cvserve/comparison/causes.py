"""Why a model and its framework disagree, found by trying."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from cvserve.comparison.comparison import Comparison
from cvserve.comparison.input_search import InputSearch
from cvserve.predictor.models.input_spec import InputSpec
from cvserve.predictor.predictor import LoadedPredictor

_EXIF_ORIENTATION = 0x0112


class Cause(NamedTuple):
    """What makes the difference.

    Attributes:
        words: what is wrong, where no value of a `model.toml` mends it; else empty.
        section: of the `model.toml`, `input` or `output`.
        change: keys of that section and the values that they should have; None: it has to go.
        difference: the largest that is left with them, of the pictures that were tried.
    """

    words: str = ""
    section: str = ""
    change: Mapping[str, Any] = MappingProxyType({})
    difference: float = 0.0


class Finding(NamedTuple):
    """What came of looking for a cause.

    Attributes:
        cause: what makes the difference go away; None if nothing was found that does.
        stopped_after_s: None if all was tried, or what was found is right; else the seconds after which time was up.
    """

    cause: Cause | None = None
    stopped_after_s: float | None = None


def find_cause(predictor: LoadedPredictor, comparison: Comparison) -> Finding:
    """Try what is most often wrong, and say what makes the difference go away.

    Args:
        predictor: the model, whose `[input]` is tried with other values.
        comparison: of which some pictures differ.
    """
    if not comparison.apart:
        return Finding()
    known = find_order(comparison) or find_loader(comparison)
    if known is not None or not isinstance(predictor.model.preparation, InputSpec):
        return Finding(known)
    search = InputSearch(predictor, comparison, predictor.model.preparation)
    for section, found in (("output", search.try_kinds), ("input", search.try_inputs)):
        result = found()
        if result is not None:
            return Finding(Cause("", section, *result), search.stopped_after_s)
    return Finding(None, search.stopped_after_s)


def find_order(comparison: Comparison) -> Cause | None:
    """Whether the scores are the same ones, in another order of the classes."""
    own = np.stack([entry.own for entry in comparison.pictures])
    reference = np.stack([entry.reference for entry in comparison.pictures])
    if np.abs(np.sort(own, axis=1) - np.sort(reference, axis=1)).max() > comparison.tolerance:
        return None
    return Cause(
        "the scores are the same, in another order of the classes; compare labels with those of the training, such as "
        "class_to_idx of ImageFolder"
    )


def find_loader(comparison: Comparison) -> Cause | None:
    """Whether all pictures that differ, and only these, are turned by EXIF, or are transparent."""
    apart = {entry.path for entry in comparison.apart}
    if len(apart) == len(comparison.pictures) > 1:
        return None
    for is_so, words in (
        (
            _is_turned,
            "EXIF turns the pictures that differ: cvserve shows them upright, the reference does not",
        ),
        (
            _is_transparent,
            "what differs is transparent: cvserve puts it on white, the reference does not",
        ),
    ):
        if all(is_so(path) for path in apart):
            return Cause(words)
    return None


def _is_turned(path: Path) -> bool:
    with Image.open(path) as picture:
        return bool(picture.getexif().get(_EXIF_ORIENTATION, 1) != 1)


def _is_transparent(path: Path) -> bool:
    with Image.open(path) as picture:
        return picture.has_transparency_data
