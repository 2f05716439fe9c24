"""Everything that decides what a model answers, each value with its origin: what `model inspect` shows and writes."""

from typing import Any

from cvserve.predictor.predictor import LoadedPredictor

Properties = dict[str, tuple[Any, str]]


def collect_properties(predictor: LoadedPredictor) -> Properties:
    """Collect all properties, each by its key in `model.toml` or by a word that only people read, such as `estimator`.

    The model is run once on a grey picture, since some files only show then how many classes they know.

    Returns:
        Value and origin: `file`, `model.toml`, the name of a file of labels, `default`, `guessed`, or `warm-up`.

    Raises:
        ModelError: the model cannot answer.
    """
    predictor.warm_up()
    found = dict(predictor.model.origins)
    if "labels" not in found:
        found["labels"] = (list(predictor.labels or ()), "default")
    if "output.scores" not in found:
        found["output.scores"] = (predictor.scores, "warm-up")
    return found
