"""A network whose answer depends on chance or on who else asks is refused, or asked so that it does not, and told."""

import importlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cvserve import Predictor
from cvserve.errors import ModelLoadError
from cvserve.predictor.predictor import LoadedPredictor
from frameworks.photos import photo_files

pytest.importorskip("torch", reason="pip install 'cvserve[torch]', and these tests run")
BROKEN: dict[str, Callable[[Path], Any]] = importlib.import_module("frameworks.broken").BROKEN
# Networks that answer alike about one picture alone are told when they are asked one by one.
TOLD = ("one by one", "one at a time", "alone")
REFUSED = ("same picture", "company", "together", "alone")


@pytest.mark.parametrize("name", BROKEN)
def test_an_answer_of_chance_or_company_is_no_answer(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    model = BROKEN[name](tmp_path)
    with caplog.at_level(logging.INFO):
        predictor, refusal = load(model)
    if predictor is None:
        assert any(word in refusal for word in REFUSED), refusal
        return
    told = caplog.text + str(predictor.model.origins)
    assert any(word in told for word in TOLD), "nobody was told"
    files = list(photo_files().values())
    alone = np.concatenate([scores(predictor, [file]) for file in files])
    assert np.abs(alone - scores(predictor, files)).max() < 1e-5


def load(model: Any) -> tuple[LoadedPredictor | None, str]:
    """The model, or why it was refused."""
    try:
        return Predictor.load(model.path, **model.load), ""
    except ModelLoadError as error:
        return None, str(error)


def scores(predictor: Predictor, files: list[bytes]) -> NDArray[np.float64]:
    """All scores of a batch, in the order of the classes."""
    found = np.zeros((len(files), len(predictor.predict(files[0], top_k=1000).top)))
    for row, prediction in zip(found, predictor.predict_batch(files, top_k=1000), strict=True):
        for entry in prediction.top:
            row[entry.index] = entry.score
    return found
