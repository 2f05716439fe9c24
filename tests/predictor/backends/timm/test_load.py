"""Models of timm by name, with weights as timm and its script of training save them."""

import argparse
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cvserve import Predictor
from cvserve.errors import UntrustedModel
from cvserve.predictor.predictor import LoadedPredictor, load_predictor
from cvserve.predictor.source import ModelSource
from support.checkpoints import load_model_of, refusal
from support.command import cvserve

timm = pytest.importorskip("timm")

# Tiny networks that timm has for tests of its own
NAMES = ("test_resnet.r160_in1k", "test_vit.r160_in1k", "test_efficientnet.r160_in1k")
NAME = NAMES[0]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="module")
def photos() -> list[Image.Image]:
    random = np.random.default_rng(7)
    sides = ((213, 160), (160, 161), (90, 300), (333, 250))
    small = (Image.fromarray(random.integers(0, 256, (9, 12, 3), dtype=np.uint8)) for _ in sides)
    return [picture.resize(size) for picture, size in zip(small, sides, strict=True)]


def new(name: str, **arguments: Any) -> Any:
    import torch

    torch.manual_seed(3)
    return timm.create_model(name, **arguments).eval()


def saved(net: Any, name: str = "best.safetensors") -> Path:
    import safetensors.torch

    safetensors.torch.save_file(net.state_dict(), name)
    return Path(name)


def difference(predictor: LoadedPredictor, net: Any, photos: list[Image.Image]) -> float:
    """Between our scores and those of timm's own pipeline, at most."""
    import torch

    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(net), is_training=False)
    with torch.inference_mode():
        own = torch.softmax(net(torch.stack([transform(photo) for photo in photos])), dim=1).numpy()
    answers = predictor.predict_batch(photos, top_k=1000)
    ours = [[entry.score for entry in sorted(answer.top, key=lambda entry: entry.index)] for answer in answers]
    return float(np.abs(np.array(ours) - own).max())


@pytest.mark.parametrize("name", NAMES)
def test_scores_are_those_of_timm(photos: list[Image.Image], name: str) -> None:
    net = new(name)
    predictor = load_model_of(f"timm:{name}", saved(net))
    assert difference(predictor, net, photos) < 1e-6
    assert predictor.guessed == ()
    assert predictor.model.origins["input.size"] == ((160, 160), "timm")
    assert predictor.model.origins["labels"][1] == "timm"
    assert predictor.labels is not None
    assert len(set(predictor.labels)) == 1000
    assert predictor.labels[134] != predictor.labels[517]
    assert predictor.info.name == name


def test_the_number_of_classes_is_that_of_the_weights(photos: list[Image.Image]) -> None:
    net = new(NAME, num_classes=7)
    predictor = load_model_of(f"timm:{NAME}", saved(net))
    assert difference(predictor, net, photos) < 1e-6
    assert predictor.labels == tuple("0123456")


def test_a_checkpoint_of_timms_own_training(photos: list[Image.Image]) -> None:
    """With optimizer, arguments, metric and an average of the weights, written by timm."""
    import torch

    net = new(NAME, num_classes=5)
    average = timm.utils.ModelEmaV3(net)
    with torch.no_grad():
        for parameter in average.module.parameters():
            parameter.mul_(1.5)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    net(torch.rand(2, 3, 160, 160)).sum().backward()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    optimizer.step()
    net.load_state_dict(before)
    saver = timm.utils.CheckpointSaver(
        net,
        optimizer,
        args=argparse.Namespace(model=NAME, lr=0.1, data_dir=Path("data")),
        model_ema=average,
        checkpoint_dir=".",
    )
    saver.save_checkpoint(0, metric=np.float64(76.5))
    weights = Path("model_best.pth.tar")
    predictor = load_model_of(f"timm:{NAME}", weights)
    assert difference(predictor, net, photos) < 1e-6
    assert "state" in predictor.guessed
    Path("test_resnet.toml").write_text('[model]\nstate = "state_dict_ema"\n')
    assert difference(load_model_of(f"timm:{NAME}", weights), average.module.eval(), photos) < 1e-6


def test_what_model_toml_says_comes_first() -> None:
    Path("test_resnet.toml").write_text(
        'name = "mine"\n[model]\nargs = { num_classes = 3 }\n[input]\nresize = "stretch"\nsize = [96, 64]\n'
    )
    Path("labels.txt").write_text("cat\ndog\nmouse\n")
    predictor = load_model_of(f"timm:{NAME}", saved(new(NAME, num_classes=3)))
    origins = predictor.model.origins
    assert origins["input.size"] == ((96, 64), "model.toml")
    assert origins["input.mean"][1] == "timm"
    assert (predictor.info.name, predictor.labels) == ("mine", ("cat", "dog", "mouse"))


def test_a_transform_of_ones_own_comes_first(photos: list[Image.Image]) -> None:
    net = new(NAME)
    Path("train.py").write_text(
        "import timm\n"
        f"val = timm.data.create_transform(**timm.data.resolve_data_config(model=timm.create_model({NAME!r})))\n"
    )
    Path("test_resnet.toml").write_text('[input]\ntransform = "train.py:val"\n')
    predictor = Predictor.load(f"timm:{NAME}", weights=saved(net), trust=True)
    assert difference(predictor, net, photos) < 1e-6
    assert predictor.guessed == ()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("test_resmet", "timm:test_resmet is no model of timm"),
        ("test_resnet.none", "timm:test_resnet.none is no model of timm"),
        ("test_resnet", "has random weights, since nothing is downloaded; add your own: --weights best.safetensors"),
    ],
)
def test_names_that_cannot_be_served(name: str, words: str) -> None:
    said = refusal(f"timm:{name}")
    assert words in said
    assert "random" in said or "did you mean 'test_resnet" in said


@pytest.mark.parametrize("argument", ["pretrained = true", 'checkpoint_path = "evil.pth"', 'pretrained_cfg = "x"'])
def test_weights_come_from_nowhere_else(argument: str) -> None:
    """timm would download them, or, in some versions, unpickle a file of the folder."""
    weights = saved(new(NAME))
    Path("test_resnet.toml").write_text(f"[model]\nargs = {{ {argument} }}\n")
    said = refusal(f"timm:{NAME}", weights=weights)
    assert f"takes its weights by --weights only; remove {argument.partition(' ')[0]} from [model] args" in said


def test_weights_of_another_model() -> None:
    said = refusal("timm:test_vit", weights=saved(new(NAME)))
    assert "timm:test_vit has other weights than those in 'best.safetensors': missing: cls_token" in said


def test_a_name_in_a_folders_settings_needs_trust() -> None:
    weights = saved(new(NAME))
    source = ModelSource(f"timm:{NAME}", weights=weights, named_by_file=True)
    with pytest.raises(UntrustedModel) as caught:
        load_predictor(source)
    command = caught.value.detail.partition("run: ")[2]
    words = shlex.split(command)
    assert words[:3] == ["cvserve", "model", "trust"]
    assert cvserve(*words[1:]).code == 0
    assert load_predictor(source).info.name == NAME


def test_without_timm_it_is_said_what_to_install() -> None:
    code = (
        "import sys; sys.modules['timm'] = None\n"
        "from cvserve.errors import ModelLoadError; from cvserve import Predictor\n"
        "try: Predictor.load('timm:resnet18', weights='best.pth')\n"
        "except ModelLoadError as error: print(error)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "'timm:resnet18' needs timm; run: pip install 'cvserve[timm]'"
