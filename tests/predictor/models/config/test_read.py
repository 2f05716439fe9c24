import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cvserve.errors import ModelLoadError
from cvserve.predictor.models.config.read import ModelConfig, read_config

EVERYTHING = """
name = "my digits"
labels = ["zero", "one"]
[input]
size = [8, 4]
mode = "RGB"
resize = "crop"
crop_ratio = 0.875
resample = "bicubic"
decode = "exact"
invert = true
scale = 1
mean = [0.1, 0.2, 0.3]
std = 0.5
layout = "flat"
dtype = "float64"
[output]
scores = "logits"
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tmp_path / "my.model.skops"


@pytest.fixture
def say(model: Path) -> Callable[[str], ModelConfig]:
    def write(text: str) -> ModelConfig:
        model.with_suffix(".toml").write_text(text, encoding="utf-8")
        return read_config(model)

    return write


def test_nothing_beside_the_model_says_nothing(model: Path) -> None:
    config = read_config(model)
    assert dict(config.values) == {}
    assert config.file_name == "my.model.toml"


def test_every_key_is_read_and_typed(say: Callable[[str], ModelConfig]) -> None:
    config = say(EVERYTHING)
    assert config.values == {
        "name": "my digits",
        "labels": ("zero", "one"),
        "input.size": (8, 4),
        "input.mode": "RGB",
        "input.resize": "crop",
        "input.crop_ratio": 0.875,
        "input.resample": "bicubic",
        "input.decode": "exact",
        "input.invert": True,
        "input.scale": 1.0,
        "input.mean": (0.1, 0.2, 0.3),
        "input.std": (0.5,),
        "input.layout": "flat",
        "input.dtype": "float64",
        "output.scores": "logits",
    }
    assert set(config.origins.values()) == {"model.toml"}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("name = 3", ["name = 3", "a text"]),
        ('name = " "', ["name"]),
        ('name = "a\\u001bb"', ["name"]),
        ("labels = []", ["labels = []", "a list of texts"]),
        ('labels = "a"', ["labels = 'a'"]),
        ("labels = [1, 2]", ["labels[0] = 1"]),
        ('labels = ["a", ""]', ["labels[1] = ''"]),
        ('labels = ["a", "b", "a"]', ["'a'", "class 0", "class 2"]),
        ("input = 3", ["'input'", "[input]"]),
        ("[input]\nsize = [8]", ["input.size = [8]", "[width, height]"]),
        ("[input]\nsize = [8, 0]", ["input.size = [8, 0]"]),
        ("[input]\nsize = [8, 99999]", ["8192"]),
        ("[input]\nsize = [8, true]", ["input.size"]),
        ("[input]\nsize = [8.0, 8.0]", ["input.size"]),
        ("[input]\nsize = 8", ["input.size = 8"]),
        ('[input]\nmode = "rgb"', ["input.mode = 'rgb'", '"L", "RGB", "BGR"']),
        ("[input]\nmode = [1]", ["input.mode = [1]"]),
        ('[input]\nresize = "fit"', ["input.resize = 'fit'", '"stretch"']),
        ("[input]\ncrop_ratio = 0", ["input.crop_ratio = 0"]),
        ("[input]\ncrop_ratio = 1.5", ["input.crop_ratio = 1.5"]),
        ("[input]\nshort_side = 0", ["input.short_side = 0", "1 to 8192"]),
        ("[input]\nshort_side = 256.0", ["input.short_side = 256.0"]),
        ('[input]\ncrop_rounding = "up"', ["input.crop_rounding = 'up'", '"nearest", "down"']),
        ('[input]\npreset = "imagnet"', ["preset = 'imagnet'", "did you mean 'imagenet'?"]),
        ('[input]\npreset = "zzz"', ["imagenet, clip, inception, half, caffe", "timm:"]),
        ('[input]\nresample = "cubic"', ["input.resample = 'cubic'", "bicubic"]),
        ('[input]\ndecode = "fast"', ["input.decode = 'fast'"]),
        ("[input]\ninvert = 1", ["input.invert = 1", "true or false"]),
        ("[input]\nscale = 0", ["input.scale = 0"]),
        ('[input]\nscale = "1/255"', ["input.scale = '1/255'"]),
        ("[input]\nscale = nan", ["input.scale = nan"]),
        ("[input]\nscale = inf", ["input.scale = inf"]),
        ("[input]\nscale = true", ["input.scale = True"]),
        ("[input]\nmean = [1, 2]", ["input.mean = [1, 2]"]),
        ('[input]\nmean = ["a"]', ["input.mean"]),
        ("[input]\nstd = [1, 0, 1]", ["input.std = [1, 0, 1]"]),
        ('[input]\nlayout = "CHW"', ["input.layout = 'CHW'", '"NCHW"']),
        ('[input]\ndtype = "float"', ["input.dtype = 'float'", '"float32"']),
        ('[output]\nscores = "softmax"', ["output.scores = 'softmax'", '"logits"']),
        ("nmae = 3", ["'nmae'", "did you mean 'name'"]),
        ("[input]\nsise = [8, 8]", ["'input.sise'", "did you mean 'input.size'"]),
        ("size = [8, 8]", ["'size'", "under [input]"]),
        ('[input]\nlabels = ["a"]', ["'input.labels'", "at the top"]),
        ("zzzzzz = 1", ["'zzzzzz'", "the known ones are name, labels"]),
        ("[inputs]\nsize = [8, 8]", ["'inputs'", "did you mean '[input]'"]),
        ("name = ", ["not valid TOML", "at its end"]),
        ("invert = yes\n\n", ["not valid TOML", "line 1"]),
        ('x = "', ["not valid TOML"]),
        ("[input]\nscale = " + "9" * 5000, ["not valid TOML: a whole number is too large"]),
        ("[input]\nscale = 0x" + "f" * 5000, ["not valid TOML: a whole number is too large"]),
        ("labels = " + "[" * 100_000, ["not valid TOML: it is nested too deeply"]),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_cannot_be_used_is_named(say: Callable[[str], ModelConfig], line: str, words: list[str]) -> None:
    with pytest.raises(ModelLoadError) as caught:
        say(line)
    for word in [*words, "my.model.toml"]:
        assert word in str(caught.value)
    assert caught.value.exit_code == 5


def test_labels_come_from_a_text_file_one_a_line(model: Path) -> None:
    model.with_name("labels.txt").write_text("\ufeffcat \r\n dog\r\n\r\n", encoding="utf-8")
    config = read_config(model)
    assert config.values["labels"] == ("cat", "dog")
    assert config.origins["labels"] == "labels.txt"


@pytest.mark.parametrize(("text", "word"), [("cat\n\ndog", "labels[1]"), ("cat\ncat", "'cat'"), ("", "has no labels")])
def test_a_label_file_is_checked_like_labels(model: Path, text: str, word: str) -> None:
    model.with_name("labels.txt").write_text(text)
    with pytest.raises(ModelLoadError) as caught:
        read_config(model)
    assert word in str(caught.value)
    assert "labels.txt" in str(caught.value)


def test_two_lists_of_labels_must_agree(model: Path, say: Callable[[str], ModelConfig]) -> None:
    model.with_name("labels.txt").write_text("a\nb\nc")
    with pytest.raises(ModelLoadError, match=r"my.model.toml has .* labels.txt has"):
        say('labels = ["a", "b"]')
    assert say('labels = ["a", "b", "c"]').origins["labels"] == "model.toml"


def test_labels_may_be_the_name_of_a_file_beside_the_config(model: Path, say: Callable[[str], ModelConfig]) -> None:
    (model.parent / "names").mkdir()
    (model.parent / "names" / "classes.txt").write_text("cat\ndog\n")
    config = say('labels = "names/classes.txt"')
    assert config.values["labels"] == ("cat", "dog")
    assert config.origins["labels"] == "names/classes.txt"


@pytest.mark.parametrize("name", ["/etc/hostname", "../labels.txt", "a/../../b.txt", "", ".", "a\\nb"])
def test_labels_are_read_from_nowhere_else(model: Path, say: Callable[[str], ModelConfig], name: str) -> None:
    (model.parent.parent / "labels.txt").write_text("cat\ndog\n")
    with pytest.raises(ModelLoadError, match=r"my\.model\.toml has labels = .*write the name of a file beside it"):
        say(f'labels = "{name}"')


def test_a_file_of_labels_must_exist_and_be_right(model: Path, say: Callable[[str], ModelConfig]) -> None:
    with pytest.raises(ModelLoadError, match=r"my.model.toml has labels = 'classes.txt', but there is no such file"):
        say('labels = "classes.txt"')
    model.with_name("classes.txt").write_text("cat\ncat")
    with pytest.raises(ModelLoadError, match=r"classes.txt has the label 'cat', .*class 0 and for class 1"):
        say('labels = "classes.txt"')
    model.with_name("classes.txt").write_text("cat\ndog")
    model.with_name("labels.txt").write_text("cat\ncow")
    with pytest.raises(ModelLoadError, match=r"classes.txt has 2 labels and labels.txt has 2 others"):
        say('labels = "classes.txt"')


def test_another_config_can_be_named_and_must_exist(model: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    with pytest.raises(ModelLoadError, match=r"There is no model config .*other.toml"):
        read_config(model, other)
    other.write_text('name = "x"')
    model.with_suffix(".toml").write_text('name = "y"')
    assert read_config(model, other).values["name"] == "x"


def test_a_config_of_more_than_a_megabyte_is_refused(say: Callable[[str], ModelConfig]) -> None:
    assert say("#" * 1024**2).values == {}
    with pytest.raises(ModelLoadError, match=r"my.model.toml' is larger than 1,048,576 bytes"):
        say("#" * (1024**2 + 1))


def test_a_config_that_is_no_text_file_is_refused(model: Path, tmp_path: Path) -> None:
    model.with_suffix(".toml").write_bytes(b'name = "\xff"')
    with pytest.raises(ModelLoadError, match="not UTF-8"):
        read_config(model)
    with pytest.raises(ModelLoadError, match="a folder, a pipe or a device"):
        read_config(model, tmp_path)
    os.mkfifo(tmp_path / "pipe.toml")
    with pytest.raises(ModelLoadError, match="a folder, a pipe or a device"):
        read_config(model, tmp_path / "pipe.toml")
