from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import skops.io
from sklearn.naive_bayes import GaussianNB

from cvserve.errors import ModelLoadError
from cvserve.predictor.contract import LoadedModel
from support.models import load_model


@pytest.fixture
def say(skops_file: Path) -> Callable[[str], LoadedModel]:
    """Write `digits.toml` beside a model of 8 by 8 pixels and load it."""

    def write(text: str) -> LoadedModel:
        skops_file.with_suffix(".toml").write_text(text)
        return load_model(skops_file)

    return write


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("crop_ratio = 0.875", ["crop_ratio = 0.875", 'resize is "stretch"', 'write resize = "crop"']),
        ('resize = "pad"\ncrop_ratio = 0.5', ["crop_ratio = 0.5", 'resize is "pad"']),
        ("short_side = 9", ["short_side = 9", 'resize is "stretch"', "remove short_side"]),
        ('resize = "pad"\ncrop_rounding = "down"', ['crop_rounding = "down"', 'resize is "pad"']),
        ('resize = "crop"\nshort_side = 9\ncrop_ratio = 0.9', ["short_side = 9 and crop_ratio = 0.9", "keep one"]),
        ('dtype = "uint8"', ['dtype is "uint8"', "from 0 to 1", "the same", "scale = 1.0"]),
        ('dtype = "uint8"\nscale = 1.0\nmean = 128', ["0 to 255", "from -128 to 127"]),
        ('dtype = "int8"\nscale = 1.0', ["-128 to 127", "from 0 to 255"]),
        ('dtype = "float16"\nscale = 1000.0', ["float16", "255000"]),
        ("scale = 1e29\nstd = 1e-300", ["float32", "to inf"]),
        ("mean = [1, 2, 3]", ["mean in digits.toml has 3 numbers", 'mode "L"']),
        (
            "mean = 123.675",
            ["mean = 123.675", "pixels 0…255", "makes them 0…1", "write scale = 1, or mean = 0.485 with"],
        ),
        ("mean = 123.675\nstd = 58.395", ["mean = 123.675 and std = 58.395", "or mean = 0.485 and std = 0.229 with"]),
        ("mean = 0.485\nstd = 58.395", ["std = 58.395 in", "is for pixels 0…255", "or std = 0.229 with"]),
        ("mean = 127\nscale = 0.0078125", ["makes them 0…1.992"]),
        ("scale = 1\nmean = 0.1307\nstd = 0.3081", ["are for pixels 0…1", "makes them 0…255", "write scale = 0.00392"]),
    ],
)
def test_values_of_the_input_that_exclude_each_other(
    say: Callable[[str], LoadedModel], text: str, words: list[str]
) -> None:
    with pytest.raises(ModelLoadError) as caught:
        say(f"[input]\n{text}")
    for word in [*words, "digits.toml"]:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        'resize = "crop"\ncrop_ratio = 0.875',
        'resize = "squash"\ncrop_ratio = 0.875',
        'resize = "crop"\nshort_side = 9\ncrop_rounding = "down"',
        "crop_ratio = 1.0",
        'dtype = "uint8"\nscale = 1.0',
        'dtype = "int8"\nscale = 1.0\nmean = 128',
        'dtype = "int64"\nscale = 0.0627451',
        'dtype = "int16"\nscale = -1',
        'dtype = "float16"',
        "mean = 0.485\nstd = 0.229",
        "scale = 1\nmean = 123.675\nstd = 58.395",
        "scale = 0.0078125\nmean = 0.9921875\nstd = 1",
        "scale = 0.00390625\nstd = 1",  # 1 / 256
        "scale = 1\nmean = 127.5\nstd = 128",
        "scale = 0.0078431373\nmean = 1",
        "scale = 0.0627451\nmean = 4.88\nstd = 6.02",
        "scale = 1\nstd = 0.5",
        "scale = 1\nmean = 0.5",
        "mean = -0.5\nstd = 2",
    ],
)
def test_values_that_agree(say: Callable[[str], LoadedModel], text: str) -> None:
    assert say(f"[input]\n{text}").info.name == "digits"


def test_labels_in_another_order_than_the_file_has_them(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).random((20, 64))
    skops.io.dump(GaussianNB().fit(rows, ["cat", "dog"] * 10), tmp_path / "pets.skops")
    config = tmp_path / "pets.toml"
    config.write_text('labels = ["dog", "cat"]')
    with pytest.raises(ModelLoadError, match=r"pets.toml calls class 0 'dog', but 'pets.skops' calls it 'cat'"):
        load_model(tmp_path / "pets.skops")
    config.write_text('labels = "names.txt"')
    (tmp_path / "names.txt").write_text("dog\ncat\n")
    with pytest.raises(ModelLoadError, match=r"names.txt calls class 0 'dog'.*remove them from names.txt"):
        load_model(tmp_path / "pets.skops")
    (tmp_path / "names.txt").write_text("chat\nchien\n")
    model = load_model(tmp_path / "pets.skops")
    assert model.labels == ("chat", "chien")
    assert model.origins["labels"] == (["chat", "chien"], "names.txt")
    (tmp_path / "names.txt").write_text("a\nb\nc\n")
    with pytest.raises(ModelLoadError, match=r"names.txt has 3 labels, but 'pets.skops' knows 2 classes"):
        load_model(tmp_path / "pets.skops")
