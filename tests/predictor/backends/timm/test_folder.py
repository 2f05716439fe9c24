"""Folders of timm, as they lie on the hub: the scores of timm's own pipeline, and nothing but data is taken."""

import importlib
import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cvserve import Predictor
from cvserve.errors import ModelLoadError
from support.hf_folders import changed_json
from support.photos import open_upright, thirty_photos
from support.torch_models import needs_torch

pytestmark = [
    needs_torch,
    pytest.mark.skipif(importlib.util.find_spec("timm") is None, reason="timm is not installed"),
]
LABELS = ("cat", "dog", "mouse")
ARCHITECTURE = "mobilenetv3_small_050"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    timm, torch = importlib.import_module("timm"), importlib.import_module("torch")
    folder = tmp_path_factory.mktemp("hub") / "animals"
    torch.manual_seed(7)
    module = timm.create_model(ARCHITECTURE, num_classes=3)
    module.train()(torch.rand(4, 3, 224, 224) * 4 - 2)
    with torch.no_grad():
        module.eval()
        spread = module(torch.rand(4, 3, 224, 224) * 4 - 2).std()
        module.classifier.weight.mul_(2 / spread)
    save = importlib.import_module("timm.models").save_for_hf
    save(module, folder, model_config={"label_names": list(LABELS)}, safe_serialization=True)
    return folder


@pytest.fixture
def folder(saved: Path, home: Path) -> Path:
    return Path(shutil.copytree(saved, home / "animals"))


def own_scores(folder: Path) -> Any:
    timm, torch = importlib.import_module("timm"), importlib.import_module("torch")
    module = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(module), is_training=False)

    def ask(picture: Any) -> Any:
        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return module(transform(picture)[None]).softmax(-1)[0].numpy()

    return ask


def test_scores_are_those_of_timm(folder: Path) -> None:
    predictor, expected = Predictor.load(folder), own_scores(folder)
    assert (predictor.labels, predictor.info.name, predictor.guessed) == (LABELS, "animals", ())
    answers = set()
    for name, data in list(thirty_photos().items())[::3]:
        scores = np.zeros(3)
        for entry in predictor.predict(data).top:
            scores[entry.index] = entry.score
        assert np.abs(scores - expected(open_upright(data))).max() <= 1e-4, name
        answers.add(tuple(scores))
    assert len(answers) == 10


def test_words_for_the_classes(folder: Path) -> None:
    names = {str(index): f"n{index}" for index in range(3)}
    changed_json(folder / "config.json", label_names=names, label_descriptions={"n0": "tabby", "n1": "husky"})
    assert Predictor.load(folder).labels == ("tabby", "husky", "n2")
    changed_json(folder / "config.json", label_names=None)
    assert Predictor.load(folder).labels is None


def test_names_of_imagenet_where_the_tag_says_so(home: Path) -> None:
    timm = importlib.import_module("timm")
    module = timm.create_model("test_efficientnet.r160_in1k")
    importlib.import_module("timm.models").save_for_hf(module, home / "net", safe_serialization=True)
    labels = Predictor.load(home / "net").labels
    assert labels is not None
    assert (len(labels), labels[0]) == (1000, "tench, Tinca tinca")
    says = json.loads((home / "net" / "config.json").read_text("utf-8"))
    changed_json(home / "net" / "config.json", pretrained_cfg={**says["pretrained_cfg"], "tag": "mine"})
    assert Predictor.load(home / "net").labels is None


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"architecture": "hf-hub:somebody/network"}, "of the architecture hf-hub:somebody/network, which timm"),
        ({"architecture": "local-dir:/etc"}, "of the architecture local-dir:/etc, which timm"),
        ({"architecture": ["a"]}, "which timm"),
        ({"architecture": "resnet10t"}, "has other weights than those in"),
        ({"model_args": {"num_classes": 4}}, "has other weights than those in"),
        ({"model_args": {"num_classes": 100_000_000}}, "numbers, and there are"),
        ({"model_args": {"unheard_of": 4}}, "makes no mobilenetv3_small_050 (TypeError)"),
        ({"pretrained_cfg": {"crop_mode": "border"}}, "describes pictures which [input] cannot make"),
        ({"pretrained_cfg": {"input_size": [3, 200_000, 200_000]}}, "describes pictures which [input] cannot make"),
        ({"pretrained_cfg": {"mean": "grey"}}, "describes pictures which [input] cannot make"),
    ],
)
def test_folders_that_are_not_served(folder: Path, values: dict[str, Any], words: str) -> None:
    changed_json(folder / "config.json", **values)
    with pytest.raises(ModelLoadError) as caught:
        Predictor.load(folder)
    assert words in str(caught.value)


def test_arguments_that_fetch_weights_are_left_out(folder: Path, home: Path) -> None:
    expected = Predictor.load(folder).predict(thirty_photos()["grey"])
    arguments = {"num_classes": 3, "pretrained": True, "checkpoint_path": str(home / "other.pth"), "cache_dir": "/etc"}
    changed_json(
        folder / "config.json",
        model_args=arguments,
        pretrained_cfg={"url": "http://somewhere/x.pth", "file": str(home / "other.pth"), "input_size": [3, 224, 224]},
    )
    found = Predictor.load(folder)
    assert found.info.name == "animals"
    assert found.predict(thirty_photos()["grey"]).top == expected.top


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"depth": 10_001}, "has a config.json with a depth of more than 10,000"),
        ({"depth": 900}, "tensors there are; take both files of one model"),
    ],
)
def test_layers_without_an_end(folder: Path, values: dict[str, int], words: str) -> None:
    changed_json(folder / "config.json", architecture="vit_tiny_patch16_224", model_args=values)
    with pytest.raises(ModelLoadError) as caught:
        Predictor.load(folder)
    assert words in str(caught.value)


def test_tables_that_a_network_makes_count_as_well(folder: Path) -> None:
    size = {"embed_dim": 4, "depths": [1], "num_heads": [1], "img_size": 240, "window_size": 60}
    changed_json(folder / "config.json", architecture="swin_tiny_patch4_window7_224", model_args=size)
    with pytest.raises(ModelLoadError, match=r"it needs 1[0-9],[0-9]{3},[0-9]{3} numbers, and there are"):
        Predictor.load(folder)


@pytest.mark.parametrize("ratio", [0.09, 0.15])
def test_a_part_of_a_picture_is_bounded(folder: Path, ratio: float) -> None:
    said = json.loads((folder / "config.json").read_text("utf-8"))["pretrained_cfg"]
    changed_json(folder / "config.json", pretrained_cfg={**said, "crop_pct": ratio, "input_size": [3, 640, 640]})
    with pytest.raises(ModelLoadError, match="describes pictures which"):
        Predictor.load(folder)
