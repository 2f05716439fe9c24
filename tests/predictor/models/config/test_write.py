import string
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from hypothesis import given
from hypothesis import strategies as st
from sklearn.naive_bayes import GaussianNB

from cvserve.errors import InvalidSetting
from cvserve.predictor.models.config.read import read_config
from cvserve.predictor.models.config.write import format_config, write_config
from cvserve.predictor.predictor import LoadedPredictor, Predictor
from cvserve.predictor.properties import collect_properties
from support.own_models import PLAIN

_texts = st.text(min_size=1, max_size=20).filter(lambda text: bool(text.strip()) and text.isprintable())
_three = st.lists(st.floats(0.01, 300), min_size=3, max_size=3)
_values = st.fixed_dictionaries(
    {
        "name": _texts.map(str.strip),
        "labels": st.lists(_texts, min_size=1, max_size=30, unique=True),
        "input.size": st.tuples(st.integers(1, 8192), st.integers(1, 8192)),
        "input.mode": st.just("RGB"),
        "input.resize": st.sampled_from(["stretch", "crop", "pad", "exact"]),
        "input.invert": st.booleans(),
        "input.scale": st.floats(1e-6, 300),
        "input.mean": _three.map(tuple),
        "input.std": st.floats(1e-6, 300).map(lambda std: (std,)),
        "output.scores": st.sampled_from(["probabilities", "logits", "labels"]),
    }
)


@given(values=_values)
def test_what_is_written_is_read_as_it_was(tmp_path_factory: pytest.TempPathFactory, values: Any) -> None:
    path = tmp_path_factory.mktemp("written") / "m.toml"
    path.write_text(format_config({key: (value, "file") for key, value in values.items()}), encoding="utf-8")
    read = read_config(path.with_suffix(".skops"))
    assert dict(read.values) == values | {"labels": tuple(values["labels"])}


def test_what_decides_nothing_or_could_not_be_read_is_left_out() -> None:
    text = format_config(
        {
            "estimator": ("SVC", "file"),
            "labels": (["", "a"], "file"),
            "input.resize": ("stretch", "guessed"),
            "input.crop_ratio": (0.5, "default"),
        }
    )
    assert tomllib.loads(text) == {"input": {"resize": "stretch"}}
    assert text.endswith('resize = "stretch"  # guessed: neither said nor read from the file\n')
    crop = {"input.resize": ("crop", "default"), "input.crop_ratio": (1.0, "default")}
    short = format_config({**crop, "input.short_side": (256, "model.toml")})
    assert tomllib.loads(short) == {"input": {"resize": "crop", "short_side": 256}}


def test_a_model_with_many_labels_is_written_one_a_line(tmp_path: Path) -> None:
    names = [f"class {letter}" for letter in string.ascii_lowercase]
    skops.io.dump(GaussianNB().fit(np.random.default_rng(0).random((52, 64)), names * 2), tmp_path / "m.skops")
    predictor = Predictor.load(tmp_path / "m.skops")
    assert isinstance(predictor, LoadedPredictor)
    text = format_config(collect_properties(predictor))
    assert 'labels = [\n  "class a",\n  "class b",\n' in text
    (tmp_path / "m.toml").write_text(text)
    assert Predictor.load(tmp_path / "m.skops").labels == tuple(names)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match=r"m.toml' cannot be written: No such file or directory"):
        write_config(tmp_path / "none" / "m.toml", "", overwrite=False)


def test_arguments_are_written_on_one_line_and_read_back(tmp_path: Path) -> None:
    arguments = {"classes": 3, "names": {"a b": [*range(14)], "q": 'x"y', "none": {}}, "rate": 0.5, "on": True}
    (tmp_path / "m.toml").write_text(format_config({}, {"model.args": arguments}))
    assert (tmp_path / "m.toml").read_text().count("\n") == 2
    assert read_config(tmp_path / "m.py").values["model.args"] == arguments


def test_a_preset_is_written_as_the_values_that_it_stands_for(tmp_path: Path) -> None:
    (tmp_path / "written_model.py").write_text(PLAIN)
    path = tmp_path / "written_model.toml"
    path.write_text('[input]\npreset = "imagenet"\nshort_side = 240\n[output]\nunknown_below = 0.25\n')
    reference = f"{tmp_path / 'written_model.py'}:Plain"
    predictor = Predictor.load(reference)
    assert isinstance(predictor, LoadedPredictor)
    path.write_text(format_config(collect_properties(predictor), read_config(tmp_path / "written_model.py").values))
    text = path.read_text()
    assert "preset" not in text
    assert "short_side = 240\n" in text
    assert "crop_ratio" not in text
    assert "unknown_below = 0.25\n" in text
    again = Predictor.load(reference)
    assert isinstance(again, LoadedPredictor)
    assert again.model.preparation == predictor.model.preparation
    assert again.guessed == ()
