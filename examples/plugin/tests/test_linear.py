"""The plugin through cvserve's own door; it must be installed: `pip install -e .`"""

import numpy as np
import pytest

from cvserve import Predictor
from cvserve.errors import ModelLoadError
from cvserve_linear import dump


@pytest.fixture
def model(tmp_path):
    """Tells pictures that are light above from those that are light below."""
    weights = np.zeros((2, 2, 2))
    weights[0, :, 0] = weights[1, :, 1] = 1
    path = tmp_path / "halves.linear"
    dump(path, weights.reshape(4, 2), np.zeros(2), ["above", "below"], (2, 2))
    return path


def test_a_picture_gets_the_class_and_the_score_of_the_formula(model):
    predictor = Predictor.load(model)
    picture = np.array([[255, 255], [0, 51]], dtype=np.uint8)
    prediction = predictor.predict(picture)
    above, below = np.exp([2, 0.2])
    assert prediction.label == "above"
    assert prediction.score == pytest.approx(above / (above + below), abs=1e-6)


def test_a_damaged_file_is_refused_with_its_name(model):
    model.write_text(model.read_text()[:-20])
    with pytest.raises(ModelLoadError, match=r"'halves\.linear' is cut off or damaged"):
        Predictor.load(model)


def test_a_config_that_contradicts_the_file_is_refused(model):
    model.with_suffix(".toml").write_text('[output]\nscores = "probabilities"')
    with pytest.raises(ModelLoadError, match=r"gives logits, not probabilities"):
        Predictor.load(model)
