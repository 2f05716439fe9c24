"""Everything that decides what a model answers, each value with its origin: what `model inspect` shows and writes."""

from typing import Any

from cvserve.predictor.predictor import LoadedPredictor


def properties(predictor: LoadedPredictor) -> dict[str, tuple[Any, str]]:
    """Each property by its key in `model.toml`, or a word that only people read (`estimator`), complete.

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
