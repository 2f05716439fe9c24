"""The plugin through cvserve's own door; it must be installed: `pip install -e .`"""

import io
import json
import zipfile

import numpy as np
import pytest

from cvserve import Predictor
from cvserve.errors import ModelLoadError, UntrustedModel
from lite_models import linear

PICTURE = np.random.default_rng(1).integers(0, 256, (4, 6, 3), dtype=np.uint8)
WEIGHTS = np.random.default_rng(2).normal(0, 0.1, (3, 72))


@pytest.fixture
def saved(tmp_path):
    def save(data, config=""):
        path = tmp_path / "m.tflite"
        path.write_bytes(data)
        path.with_suffix(".toml").write_text(config)
        return path

    return save


def with_file(model, name, text):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(name, text)
    return model + stream.getvalue()


def scores(path, picture=PICTURE):
    got = Predictor.load(path, trust=True).predict(picture, top_k=3)
    return [entry.score for entry in sorted(got.top, key=lambda entry: entry.index)]


def soft_max(values):
    powers = np.exp(values @ WEIGHTS.T)
    return powers / powers.sum()


def test_floats_get_the_scores_of_the_formula(saved):
    path = saved(linear((1, 4, 6, 3), WEIGHTS))
    assert scores(path) == pytest.approx(soft_max(PICTURE.ravel() / 255), abs=1e-5)
    model = Predictor.load(path, trust=True).model
    assert model.origins["input.size"] == ((6, 4), "file")
    assert "scale" in model.guessed


@pytest.mark.parametrize(
    ("step", "zero_point", "real"),
    [(1 / 255, -128, lambda x: x / 255), (1.0, -128, lambda x: x), (1 / 127.5, 0, lambda x: x / 127.5 - 1)],
)
def test_whole_numbers_are_the_pixels_and_nothing_is_guessed_of_their_scale(saved, step, zero_point, real):
    path = saved(linear((1, 4, 6, 3), WEIGHTS / real(255.0), step=step, zero_point=zero_point))
    model = Predictor.load(path, trust=True).model
    assert model.origins["input.scale"][1] == model.origins["input.mean"][1] == "file"
    assert model.origins["output.scores"] == ("probabilities", "file")
    values = real(PICTURE.astype(float).ravel()) / real(255.0)
    assert scores(path) == pytest.approx(soft_max(values), abs=0.03)


def test_a_config_may_say_another_scale(saved):
    """Half of the scale: each pixel as if it were half as light."""
    model = linear((1, 4, 6, 3), WEIGHTS, step=1 / 255, zero_point=-128)
    half = scores(saved(model, f"[input]\nscale = {1 / 510}\n"))
    assert half == pytest.approx(scores(saved(model), PICTURE // 2), abs=0.01)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("labels.txt", "cat\ndog\nit's\n"),
        ("metadata.json", json.dumps({"names": {"0": "cat", "1": "dog", "2": "it's"}})),
    ],
)
def test_labels_are_in_the_archive_behind_the_model(saved, name, text):
    path = saved(with_file(linear((1, 4, 6, 3), WEIGHTS), name, text))
    assert Predictor.load(path, trust=True).labels == ("cat", "dog", "it's")


def test_rows_of_values_are_flat(saved):
    assert len(scores(saved(linear((1, 72), WEIGHTS), "[input]\nsize = [6, 4]\n"))) == 3


def test_a_batch_gets_what_each_picture_gets_alone(saved):
    predictor = Predictor.load(saved(linear((1, 4, 6, 3), WEIGHTS)), trust=True)
    pictures = [PICTURE, 255 - PICTURE, PICTURE // 3]
    together = [entry.top for entry in predictor.predict_batch(pictures)]
    assert together == [predictor.predict(picture).top for picture in pictures]


def test_a_file_that_nobody_trusts_is_not_loaded(saved):
    with pytest.raises(UntrustedModel, match="is a LiteRT model, in which code can hide"):
        Predictor.load(saved(linear((1, 4, 6, 3), WEIGHTS)))


def test_what_is_no_classifier_is_told(saved):
    with pytest.raises(ModelLoadError, match=r"takes arrays of shape \[1, 4, 6, 5\]"):
        Predictor.load(saved(linear((1, 4, 6, 5), np.ones((3, 120)))), trust=True)
    with pytest.raises(ModelLoadError, match=r"LiteRT cannot run 'm\.tflite'"):
        Predictor.load(saved(b"\x1c\x00\x00\x00TFL3" + bytes(20)), trust=True)
