"""Labels in a file of their own, as people have them."""

import json
import resource
from pathlib import Path

import pytest

from cvserve.errors import ModelLoadError
from cvserve.predictor.models.config.label_file import parse_labels
from cvserve.predictor.models.fault import ModelFault
from support.models import load_model

NAMES = tuple("abcdefghij")


@pytest.fixture
def labels(skops_file: Path) -> Path:
    """The file that `digits.toml` names; the model knows ten classes."""
    return skops_file.with_name("names.json")


def named(labels: Path, text: str, name: str = "names.json") -> tuple[str, ...] | None:
    labels.with_name(name).write_text(text, encoding="utf-8")
    labels.with_name("digits.toml").write_text(f'labels = "{name}"\n')
    return load_model(labels.with_name("digits.skops")).labels


@pytest.mark.parametrize(
    "text",
    [
        '["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"]',
        '{"0":"a","1":"b","2":"c","3":"d","4":"e","5":"f","6":"g","7":"h","8":"i","9":"j"}',
        '{"9":"j","8":"i","7":"h","6":"g","5":"f","4":"e","3":"d","2":"c","1":"b","0":"a"}',
        '{"a":0,"b":1,"c":2,"d":3,"e":4,"f":5,"g":6,"h":7,"i":8,"j":9}',
    ],
)
def test_json_is_a_list_or_an_object_either_way_round(labels: Path, text: str) -> None:
    assert named(labels, "\ufeff" + text) == NAMES


@pytest.mark.parametrize("form", ["{}: {}", "{} {}", "{}\t{}", "{}, {}", "{}:{}"])
def test_lines_may_begin_with_the_numbers_of_the_classes(labels: Path, form: str) -> None:
    lines = [form.format(index, name) for index, name in enumerate(NAMES)]
    assert named(labels, "\n".join(lines), "names.txt") == NAMES
    assert named(labels, "\n".join(reversed(lines)), "names.txt") == NAMES


@pytest.mark.parametrize("first", [1, 5])
def test_numbers_that_are_part_of_the_names_stay(labels: Path, first: int) -> None:
    lines = [f"{index} {name}" for index, name in enumerate(NAMES, first)]
    assert named(labels, "\n".join(lines), "names.txt") == tuple(lines)
    stars = [f"{index} stars" for index in range(10)]
    assert named(labels, "\n".join(stars), "names.txt") == tuple(stars)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            '{"0": "a", "1": "b", "3": "d"}',
            "names.json has 3 labels and none for class 2; number the classes from 0 to 2",
        ),
        ('{"a": 0, "b": 0}', "names.json gives the number 0 to two classes"),
        ('{"0": "a", "0": "b"}', "names.json says '0' twice"),
        ('{"a": "b"}', "names.json is an object in which neither the keys nor the values are the numbers of classes"),
        ('{"0": ["n01440764", "tench"]}', "names.json has labels[0] = ['n01440764', 'tench'], which cannot be used"),
        ('["a", "b", "a"]', "names.json has the label 'a', which stands for class 0 and for class 2"),
        ('["a", "b",]', "names.json is not valid JSON in line 1"),
        ("7", 'names.json has no labels; write a list, ["cat", "dog"], or'),
        ("{}", "names.json has no labels"),
        ("[" * 100_000, "names.json is not valid JSON"),
        ('["a"]', "names.json has 1 labels, but 'digits.skops' knows 10 classes"),
    ],
    ids=lambda value: value[:30],
)
def test_what_is_wrong_is_said(labels: Path, text: str, words: str) -> None:
    with pytest.raises(ModelLoadError) as caught:
        named(labels, text)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("twice", "words"), [('"19999": 7', "says '19999' twice"), ('"another": 19999', "gives the number 19999 to two")]
)
def test_many_labels_of_which_the_last_are_the_same_are_seen_fast(twice: str, words: str) -> None:
    text = json.dumps({str(index): index for index in range(20_000)} | {"x": 20_000})
    before_s = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    with pytest.raises(ModelFault, match=words):
        parse_labels("labels.json", f"{text[:-1]}, {twice}}}")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_utime - before_s < 1
