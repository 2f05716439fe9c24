"""Folders of transformers: the same scores as transformers gives, and nothing but data is taken from them."""

import importlib
import json
import os
import pickle
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cvserve import Predictor
from cvserve.errors import CvserveError, ModelLoadError, UntrustedModel
from cvserve.predictor.predictor import LoadedPredictor
from support.hf_folders import (
    FAMILIES,
    LABELS,
    changed_json,
    import_transformers,
    made_folder,
    needs_transformers,
    own_scores,
)
from support.pages import ROOT
from support.photos import open_upright, thirty_photos

pytestmark = needs_transformers
IS_LONG = os.environ.get("CVSERVE_TEST_LONG") == "1"
QUICK = ("vit", "convnext")


def all_scores(predictor: LoadedPredictor, data: bytes) -> Any:
    prediction = predictor.predict(data)
    scores = np.zeros(len(LABELS))
    for entry in prediction.top:
        scores[entry.index] = entry.score
    return scores


def refusal(folder: Path) -> str:
    with pytest.raises(CvserveError) as caught:
        Predictor.load(folder)
    return str(caught.value)


@pytest.mark.parametrize("family", FAMILIES if IS_LONG else QUICK)
def test_scores_are_those_of_transformers(home: Path, family: str) -> None:
    folder = made_folder(home / "animals", family)
    predictor = Predictor.load(folder)
    expected = own_scores(folder)
    photos = thirty_photos() if IS_LONG else dict(list(thirty_photos().items())[::4])
    assert len(photos) >= (30 if IS_LONG else 7)
    answers = set()
    for name, data in photos.items():
        ours, theirs = all_scores(predictor, data), expected(open_upright(data))
        assert np.abs(ours - theirs).max() <= 1e-4, name
        assert ours.argmax() == theirs.argmax(), name
        answers.add(tuple(ours))
    assert len(answers) == len(photos)  # and each has its own
    assert predictor.labels == LABELS
    assert predictor.info.format == "huggingface"
    assert predictor.info.name == "animals"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_folder(tmp_path_factory.mktemp("hub") / "animals")


@pytest.fixture
def folder(saved: Path, home: Path) -> Path:
    """A folder that the test may spoil."""
    return Path(shutil.copytree(saved, home / "animals"))


def picture() -> Image.Image:
    return Image.linear_gradient("L").resize((300, 200)).convert("RGB")


def test_it_says_what_it_is(folder: Path) -> None:
    found = {key: value for key, (value, _) in Predictor.load(folder).model.origins.items()}
    assert found["class"] == "ViTForImageClassification"
    assert found["processor"].startswith("ViTImageProcessor")
    assert found["pictures"] == "224 × 224"
    assert Predictor.load(folder).guessed == ()


def test_weights_in_several_files(folder: Path) -> None:
    expected = Predictor.load(folder).predict(picture())
    module = import_transformers().ViTForImageClassification.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    module.save_pretrained(folder, max_shard_size="40KB")
    assert len(list(folder.glob("model-*.safetensors"))) > 1
    assert Predictor.load(folder).predict(picture()).top == expected.top
    next(folder.glob("model-*.safetensors")).unlink()
    assert "has no model-00" in refusal(folder)


def test_weights_as_they_were_saved_before_safetensors(folder: Path) -> None:
    expected = Predictor.load(folder).predict(picture())
    torch = importlib.import_module("torch")
    state = importlib.import_module("safetensors.torch").load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(state, folder / "pytorch_model.bin")
    assert Predictor.load(folder).predict(picture()).top == expected.top
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(print))
    assert "'pytorch_model.bin' " in refusal(folder)


@pytest.mark.parametrize("cut", [8, 1000, -1])
def test_damaged_weights(folder: Path, cut: int) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:cut])
    assert "'model.safetensors' is damaged or cut off" in refusal(folder)


def test_several_labels_at_once(folder: Path) -> None:
    changed_json(folder / "config.json", problem_type="multi_label_classification")
    predictor = Predictor.load(folder)
    assert predictor.model.scores == "sigmoid"
    sums = sum(entry.score for entry in predictor.predict(picture()).top)
    assert abs(sums - 1) > 0.1


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"num_hidden_layers": 3}, "missing"),
        ({"num_hidden_layers": 1}, "not known to the class"),
        ({"intermediate_size": 36}, "of another size"),
        ({"id2label": {str(index): "x" for index in range(6)}}, "of another size"),
        ({"hidden_size": 32_000_000}, "numbers"),
    ],
)
def test_weights_of_another_network(folder: Path, values: dict[str, Any], words: str) -> None:
    changed_json(folder / "config.json", **values)
    said = refusal(folder)
    assert "'animals' has other weights than those of ViTForImageClassification" in said
    assert words in said


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"model_type": "bert", "architectures": ["BertForSequenceClassification"]}, "no image classifier"),
        ({"model_type": "detr", "architectures": ["DetrForObjectDetection"]}, "no image classifier"),
        ({"architectures": ["ViTModel"]}, "ViTForImageClassification is one"),
        ({"model_type": "clip", "architectures": ["CLIPModel"]}, "CLIPForImageClassification is one"),
        ({"model_type": "vit; import os"}, "no image classifier"),
        ({"model_type": None}, "without model_type"),
        ({"id2label": {"0": "length"}}, "no scores of classes"),
        ({"problem_type": "regression"}, "no scores of classes"),
        ({"id2label": {str(index + 1): "x" for index in range(5)}}, "are not 0 to 4"),
        ({"hidden_size": "wide"}, "does not take"),
        (
            {"auto_map": {"AutoModelForImageClassification": "own.Net"}},
            "names code of its own (auto_map in config.json)",
        ),
        ({"quantization_config": {"quant_method": "gptq"}}, "has quantized weights"),
    ],
)
def test_folders_that_are_not_served(folder: Path, values: dict[str, Any], words: str) -> None:
    (folder / "own.py").write_text("raise SystemExit(9)", "utf-8")
    changed_json(folder / "config.json", **values)
    assert words in refusal(folder)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"auto_map": {"AutoImageProcessor": "own.Processor"}}, "names code of its own (auto_map in preprocessor_"),
        ({"image_processor_type": "pipeline"}, "no image processor that transformers has itself"),
        ({"size": {"height": 200_000, "width": 200_000}}, "no size of a picture"),
        ({"image_mean": "grey"}, "that fails on a picture of 640 by 427 pixels (TypeError)"),
        ({"size": {"shortest_edge": 224}}, "of different sizes"),
        ({"size": {"height": 64, "width": 64}}, "are config.json and preprocessor_config.json of one model?"),
    ],
)
def test_preparations_that_are_not_served(folder: Path, values: dict[str, Any], words: str) -> None:
    changed_json(folder / "preprocessor_config.json", **values)
    assert words in refusal(folder)


@pytest.mark.parametrize("ratio", [0.09, 1.5, float("nan"), "0.9"])
def test_a_part_of_a_picture_is_bounded(home: Path, ratio: Any) -> None:
    folder = made_folder(home / "animals", "convnext")
    changed_json(folder / "preprocessor_config.json", crop_pct=ratio)
    assert "has a preprocessor_config.json with a crop_pct that is no part of a picture: 0.1 to 1" in refusal(folder)
    changed_json(folder / "preprocessor_config.json", crop_pct=0.1, size={"shortest_edge": 410})
    assert "with size / crop_pct up to 4096 pixels" in refusal(folder)


def test_without_a_preparation_it_is_asked_for(folder: Path) -> None:
    (folder / "preprocessor_config.json").unlink()
    assert "write model.toml in it: [input] size, mean and std" in refusal(folder)
    (folder / "model.toml").write_text("[input]\nsize = [224, 224]\nmean = 0.5\nstd = 0.5\n", "utf-8")
    assert Predictor.load(folder).predict(picture()).label in LABELS


def test_older_and_newer_forms_of_the_preparation(folder: Path) -> None:
    expected = Predictor.load(folder).predict(picture())
    said = json.loads((folder / "preprocessor_config.json").read_text("utf-8"))
    del said["image_processor_type"]
    old = {**said, "feature_extractor_type": "ViTFeatureExtractor", "size": 224}
    (folder / "preprocessor_config.json").write_text(json.dumps(old), "utf-8")
    assert Predictor.load(folder).predict(picture()).top == expected.top
    (folder / "preprocessor_config.json").unlink()
    new = {"processor_class": "X", "image_processor": {**said, "image_processor_type": "ViTImageProcessorFast"}}
    (folder / "processor_config.json").write_text(json.dumps(new), "utf-8")
    assert Predictor.load(folder).predict(picture()).top == expected.top


def test_model_toml_changes_a_part_of_the_preparation(folder: Path) -> None:
    before = Predictor.load(folder)
    (folder / "model.toml").write_text('[input]\nresample = "nearest"\n', "utf-8")
    after = Predictor.load(folder)
    assert after.model.origins["input.resample"] == ("nearest", "model.toml")
    assert after.model.origins["input.mean"] == ((0.5, 0.5, 0.5), "file")
    assert after.model.preparation.size == (224, 224)
    assert after.info.sha256 != before.info.sha256
    assert before.predict(picture()).top != after.predict(picture()).top


def test_code_that_its_model_toml_names_needs_trust(folder: Path) -> None:
    (folder / "model.toml").write_text('[input]\ntransform = "own.py:change"\n', "utf-8")
    (folder / "own.py").write_text("raise SystemExit(9)", "utf-8")
    with pytest.raises(UntrustedModel, match="cvserve model trust"):
        Predictor.load(folder)
    code = "import numpy as np\n\ndef change(image):\n    return np.zeros((3, 224, 224), np.float32)\n"
    (folder / "own.py").write_text(code, "utf-8")
    assert Predictor.load(folder, trust=True).predict(picture()).label in LABELS


def test_another_file_is_another_version(folder: Path) -> None:
    sha256 = Predictor.load(folder).info.sha256
    assert Predictor.load(folder, sha256=sha256).info.sha256 == sha256
    changed_json(folder / "preprocessor_config.json", image_std=[0.25] * 3)
    with pytest.raises(ModelLoadError, match="has the SHA-256"):
        Predictor.load(folder, sha256=sha256)


def test_nothing_outside_of_it_is_read_or_fetched(folder: Path, home: Path) -> None:
    expected = Predictor.load(folder).predict(picture())
    (home / "other").mkdir()
    changed_json(
        folder / "config.json",
        _name_or_path=str(home / "other"),
        name_or_path="somebody/network",
        backbone="resnet50",
        use_timm_backbone=True,
        use_pretrained_backbone=True,
        backbone_config={"model_type": "timm_backbone"},
        _attn_implementation="somebody/kernels",
        attn_implementation="somebody/kernels",
        _experts_implementation="somebody/kernels",
        fusion_config={"patch_embeddings": True},
        transformers_weights=str(home / "other" / "model.safetensors"),
        tokenizer_class="somebody/tokenizer",
        per_layer_config={"0": {"hidden_act": "relu"}},
    )
    changed_json(folder / "preprocessor_config.json", processor_class="somebody/processor", device="cuda")
    with watched() as events:
        prediction = Predictor.load(folder).predict(picture())
    assert prediction.top == expected.top
    assert [event for event in events if event[0].startswith("socket.")] == []
    own = (str(folder), sys.prefix, sys.base_prefix, str(Path(np.__file__).parents[1]), str(ROOT / "src"), "/proc/")
    # What is opened in a folder that is open has no folder before its name.
    assert {path for _, path in events if "/" in path and not path.startswith(own)} == set()
    assert "config.json" in {path for _, path in events}


_watchers: list[list[tuple[str, str]]] = []


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if _watchers and (event == "open" or event.startswith("socket.")):
        path = arguments[0] if event == "open" else ""
        _watchers[-1].append((event, os.fsdecode(path) if isinstance(path, (str, bytes)) else ""))


@contextmanager
def watched() -> Iterator[list[tuple[str, str]]]:
    """What this process opens and connects to meanwhile, as Python's audit events tell it."""
    if not hasattr(sys, "_cvserve_hook"):
        sys._cvserve_hook = True  # type: ignore[attr-defined]  # a hook stays for as long as the process
        sys.addaudithook(_note)
    _watchers.append([])
    try:
        yield _watchers[-1]
    finally:
        _watchers.pop()
