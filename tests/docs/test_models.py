"""Who follows the sections about code of one's own gets what they promise."""

import hashlib
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import PIPE
from typing import Any

import numpy as np
import pytest

from cvserve import Predictor
from cvserve.predictor.models.config.presets import PRESETS
from frameworks.photos import photo_files
from support.command import cvserve
from support.onnx_models import linear
from support.pages import ROOT, blocks
from support.process import ServerProcess
from support.torch_models import needs_torch

PAGE, CONFIG, CHECKING, OWN = (f"docs/{name}.md" for name in ("models", "model-toml", "checking", "own-class"))
IS_LONG = os.environ.get("CVSERVE_TEST_LONG") == "1"
SAMPLE = next((ROOT / "src/cvserve/samples").glob("digit-4*"))


def run(line: str) -> str:
    """What a command of the page prints."""
    said = cvserve(*[str(SAMPLE) if word == "img.jpg" else word for word in line.split()[1:]])
    assert said.code == 0, said.err
    return said.out


def served(line: str, server_process: Callable[..., ServerProcess]) -> dict[str, Any]:
    """What a server answers that is started by a command of the page."""
    server = server_process(*line.split()[2:], "--no-auth")
    with server.client() as client:
        answer: dict[str, Any] = client.post("/predict", content=SAMPLE.read_bytes()).json()
    server.stop()
    return answer


def test_your_own_class(home: Path, server_process: Callable[..., ServerProcess]) -> None:
    (code,) = blocks(PAGE, "python", "Your own class")
    (home / "my_model.py").write_text(code, encoding="utf-8")
    (serve,), (inspect, try_) = [block.splitlines() for block in blocks(PAGE, "sh", "Your own class")]
    assert "night, day" in run(inspect)
    assert "float32 [32, 32]" in run(try_)
    assert served(serve, server_process)["label"] == "day"
    alone = f"from my_model import Daylight; print(Daylight().predict({str(SAMPLE)!r}).label)"
    ended = subprocess.run([sys.executable, "-c", alone], cwd=home, capture_output=True, text=True, check=True)
    assert ended.stdout == "day\n"


def test_a_picture_of_no_class(home: Path) -> None:
    (code,) = blocks(OWN, "python", "Warnings of its own")
    (config,) = blocks(CONFIG, "toml", "A picture of no class")
    (home / "careful.py").write_text(code, encoding="utf-8")
    (home / "careful.toml").write_text(config, encoding="utf-8")
    for level, warning in ((200, "There is nothing in it."), (None, "Half of it is night."), (150, None)):
        pixels = np.full((64, 64), level) if level else np.tile(np.arange(0, 256, 4), (64, 1))
        pixels[0, :20] = 0 if level == 150 else pixels[0, 0]
        answer = Predictor.load("careful.py:Careful").predict(pixels.astype(np.uint8))
        assert answer.warning == (
            warning or "The best score is 0.586, under 0.6: the picture may be of no class that is known."
        )


@needs_torch
@pytest.mark.slow
def test_keras_and_tensorflow(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not importlib.util.find_spec("keras"):
        pytest.skip("pip install keras, and this test runs")
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    section = "Keras and TensorFlow"
    (code,) = blocks(PAGE, "python", section)
    (config,) = blocks(PAGE, "toml", section)
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=home, check=True, timeout=120, stdout=PIPE)
    (home / "model.toml").write_text(config, encoding="utf-8")
    ((inspect, _serve),) = [block.splitlines() for block in blocks(PAGE, "sh", section)]
    said = run(inspect)
    assert "night, dusk, day" in said
    assert re.search(r"input\.scale +1 +file", said)
    assert cvserve("predict", str(SAMPLE), "--model", "model.onnx", "--no-history").code == 0


@needs_torch
@pytest.mark.slow
def test_pytorch(home: Path, server_process: Callable[..., ServerProcess]) -> None:
    code, training, exporting = blocks(PAGE, "python", "PyTorch")
    (config,) = blocks(PAGE, "toml", "PyTorch")
    (home / "model.py").write_text(code, encoding="utf-8")
    (home / "model.toml").write_text(config, encoding="utf-8")
    subprocess.run([sys.executable, "-c", training], cwd=home, check=True, timeout=120)
    (_, serve), (inspect, try_) = [block.splitlines() for block in blocks(PAGE, "sh", "PyTorch")]
    assert "zero, one" in run(inspect)
    tried = run(try_)
    assert tried.index("four") < min(tried.index(other) for other in ("seven", "nine") if other in tried)
    answer = served(serve, server_process)
    assert answer["label"] == "four"
    subprocess.run([sys.executable, "-W", "ignore", "-c", exporting], cwd=home, check=True, timeout=120)
    sha256 = subprocess.run(["sha256sum", "model.pt2"], cwd=home, stdout=subprocess.PIPE, text=True, check=True)
    cvserve("model", "trust", "model.pt2", "--sha256", sha256.stdout.split()[0])
    for file in ("model.pt2", "model.onnx"):
        exported = served(f"cvserve serve --model {file}", server_process)
        assert exported["label"] == "four"
        assert abs(exported["score"] - answer["score"]) < 1e-5


@pytest.mark.slow
def test_compare_with_your_framework(home: Path) -> None:
    models = pytest.importorskip("torchvision.models", reason="pip install -r tests/frameworks/requirements.txt")
    torch = pytest.importorskip("torch")
    section = "Compare with your framework"
    (code,) = blocks(CHECKING, "python", section)
    (config,) = blocks(CHECKING, "toml", section)
    (line,) = blocks(CHECKING, "sh", section)
    (home / "train.py").write_text(code, encoding="utf-8")
    (home / "input.toml").write_text(config, encoding="utf-8")
    (home / "photos").mkdir()
    for name in ("whole.jpg", "whole.png", "exact.png"):
        (home / "photos" / name).write_bytes(photo_files()[name])
    torch.manual_seed(1)
    torch.save(models.resnet18().state_dict(), "best.pth")
    line = line.replace("\\\n", " ")
    assert run(line).splitlines()[-1].startswith("same: 3 pictures, the same class, all scores within 0.00000")


def test_presets_and_transforms(home: Path) -> None:
    """Each `[input]` that the section shows can be used, and each preset that it names is one."""
    pytest.importorskip("torchvision")
    onnx = pytest.importorskip("onnx")
    section = "Presets and transforms"
    preset, named = blocks(CONFIG, "toml", section)
    (code,) = blocks(CONFIG, "python", section)
    (lines,) = blocks(CONFIG, "sh", section)
    Path("train.py").write_text(code, encoding="utf-8")
    onnx.save(linear(["n", 3, 224, 224]), "model.onnx")
    Path("model.toml").write_text(preset, encoding="utf-8")
    shown = json.loads(run("cvserve model inspect model.onnx --json"))["properties"]
    assert shown["input.short_side"] == {"value": 232, "from": "model.toml"}
    assert shown["input.mean"] == {"value": [0.485, 0.456, 0.406], "from": 'preset "imagenet"'}
    Path("model.toml").write_text(named, encoding="utf-8")
    trust, try_ = lines.splitlines()
    run(f"{trust} --sha256 {hashlib.sha256(code.encode()).hexdigest()}")
    assert "float32 [3, 224, 224], -" in run(try_)
    rows = re.findall(
        r"^\| `(\w+)` \| (?:short side|mean and std|BGR)", (ROOT / CONFIG).read_text(encoding="utf-8"), re.M
    )
    assert set(rows) == set(PRESETS)


@needs_torch
@pytest.mark.slow
def test_torchvision(home: Path, server_process: Callable[..., ServerProcess]) -> None:
    torchvision = pytest.importorskip("torchvision")
    import torch

    torch.save({"model": torchvision.models.resnet18(num_classes=3).state_dict()}, home / "best.pth")
    (_, serve), (inspect,) = [block.splitlines() for block in blocks(PAGE, "sh", "torchvision")]
    assert serve == inspect.replace("model inspect", "serve --model")
    assert "224, 224" in run(inspect)
    if IS_LONG:  # as every server with a class; it takes its time
        assert served(serve, server_process)["label"] in ("0", "1", "2")


@needs_torch
@pytest.mark.slow
def test_timm_and_the_state_of_a_checkpoint(home: Path, server_process: Callable[..., ServerProcess]) -> None:
    timm = pytest.importorskip("timm")
    import safetensors.torch
    import torch

    state = timm.create_model("resnet18").state_dict()
    safetensors.torch.save_file(state, home / "best.safetensors")
    (_, serve), (inspect,) = [block.splitlines() for block in blocks(PAGE, "sh", "timm")]
    assert serve == inspect.replace("model inspect", "serve --model")
    if IS_LONG:
        assert "tench, Tinca tinca" in run(inspect)
        assert served(serve, server_process)["model"]["name"] == "resnet18.a1_in1k"
    torch.save({"state_dict": state, "state_dict_ema": state}, home / "model_best.pth.tar")
    (config,) = blocks(PAGE, "toml", "Checkpoints")
    (home / "resnet18.toml").write_text(config, encoding="utf-8")
    assert "state_dict_ema" in run(inspect.replace("best.safetensors", "model_best.pth.tar"))


@needs_torch
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_fastai_by_onnx(home: Path, server_process: Callable[..., ServerProcess]) -> None:
    """The page's own lines, and the command that is printed for a pickled Learner."""
    pytest.importorskip("fastai")
    train = """
from pathlib import Path
import numpy as np
from PIL import Image
from fastai.vision.all import ImageDataLoaders, Resize, resnet18, vision_learner
for name in ("cat", "dog"):
    Path("pictures", name).mkdir(parents=True)
    for index in range(4):
        pixels = np.random.default_rng(index).integers(0, 256, (40, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(f"pictures/{name}/{index}.png")
loaders = ImageDataLoaders.from_folder("pictures", valid_pct=0.5, item_tfms=Resize(32), bs=2, num_workers=0)
vision_learner(loaders, resnet18, pretrained=False).export(Path("export.pkl").absolute())
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", train], cwd=home, check=True, timeout=300)
    code, _ = blocks(PAGE, "python", "Lightning and fastai")
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=home, check=True, timeout=300)
    assert served("cvserve serve --model export.onnx", server_process)["label"] in ("cat", "dog")
    for made in ("export.onnx", "labels.txt"):
        (home / made).unlink()
    said = cvserve("model", "inspect", "export.pkl")
    assert said.code == 5
    export, _, serve = said.err.strip().partition("python -c ")[2].partition(" && ")
    line = f"{sys.executable} -W ignore -c {export}"
    subprocess.run(line, shell=True, cwd=home, check=True, timeout=300)
    assert served(serve, server_process)["label"] in ("cat", "dog")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_ultralytics_by_onnx(
    home: Path, server_process: Callable[..., ServerProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ultralytics")
    monkeypatch.setenv("YOLO_CONFIG_DIR", str(home))
    monkeypatch.setenv("YOLO_OFFLINE", "true")
    make = "from ultralytics import YOLO; YOLO('yolo11n-cls.yaml').save('best.pt')"
    subprocess.run([sys.executable, "-W", "ignore", "-c", make], cwd=home, check=True, timeout=300)
    (block,) = blocks(PAGE, "sh", "Ultralytics")
    said = cvserve("model", "inspect", "best.pt")
    assert said.code == 5
    assert said.err.strip().endswith(" && ".join(block.strip().splitlines()))
    yolo = Path(sys.executable).with_name("yolo")
    subprocess.run([yolo, *block.split()[1:4]], cwd=home, check=True, timeout=300)
    assert served(block.splitlines()[1], server_process)["model"]["name"] == "best"
