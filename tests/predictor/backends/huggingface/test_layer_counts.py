"""A short config.json that asks for a network without an end is refused before one is made."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from cvserve import Predictor
from cvserve.errors import ModelLoadError
from support.hf_folders import changed_json, made_folder, needs_transformers

pytestmark = needs_transformers


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_folder(tmp_path_factory.mktemp("hub") / "animals")


@pytest.fixture
def folder(saved: Path, home: Path) -> Path:
    return Path(shutil.copytree(saved, home / "animals"))


def refusal(folder: Path) -> str:
    with pytest.raises(ModelLoadError) as caught:
        Predictor.load(folder)
    return str(caught.value)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"num_hidden_layers": 10_001}, "a num_hidden_layers of more than 10,000, which no network has"),
        ({"num_hidden_layers": 1e300}, "a num_hidden_layers of more than 10,000"),
        ({"num_labels": 250_001, "id2label": None, "label2id": None}, "a num_labels of more than 250,000"),
        ({"num_hidden_layers": 500}, "it needs many more than the 40 tensors there are"),
    ],
)
def test_more_than_any_network_has(folder: Path, values: dict[str, Any], words: str) -> None:
    changed_json(folder / "config.json", **values)
    said = refusal(folder)
    assert "'animals' has " in said
    assert words in said


def test_depths_in_a_list_count_together(home: Path) -> None:
    folder = made_folder(home / "animals", "convnext")
    changed_json(folder / "config.json", depths=[5000, 5000, 1, 1])
    assert "a depths of more than 10,000" in refusal(folder)
