"""PyTorch modules that a function gives: of one's own, and of torchvision."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cvserve import Predictor
from cvserve.errors import Unsafe
from cvserve.predictor.predictor import load_predictor
from cvserve.predictor.source import ModelSource
from support.checkpoints import Checkpoints, difference, refusal
from support.torch_models import MODEL_PY, needs_torch, trained, written

pytestmark = needs_torch

FUNCTIONS = """

def make(num_classes=3):
    return BaseModel(num_classes)


def make_any(**arguments):
    return BaseModel(**arguments)


def make_other(**arguments):
    assert not arguments
    return BaseModel()


def make_seeded():
    torch.manual_seed(7)
    return BaseModel()


class ByChance(BaseModel):
    def forward(self, batch):
        return super().forward(torch.nn.functional.dropout(batch))
"""


@pytest.fixture
def checkpoints(tmp_path: Path) -> Checkpoints:
    return Checkpoints(written(tmp_path / "net", MODEL_PY + FUNCTIONS).parent)


def test_a_function_without_weights_is_not_served(checkpoints: Checkpoints) -> None:
    said = checkpoints.refuse(None, "make")
    assert "make in model.py gives a PyTorch module with random weights, others at each call; add its own" in said
    assert checkpoints.load(None, "make_seeded").info.name == "make_seeded"


def test_weights_of_a_function(checkpoints: Checkpoints) -> None:
    net = trained()
    predictor = checkpoints.load(checkpoints.save(net.state_dict()), "make")
    assert difference(predictor, net) < 2e-6
    assert predictor.info.name == "make"


def test_chance_in_a_class_is_no_matter_of_how_its_weights_were_saved(checkpoints: Checkpoints) -> None:
    said = checkpoints.refuse(checkpoints.save(trained().state_dict()), "ByChance")
    assert "two different answers; take random numbers and F.dropout without training=False out of its class." in said


@pytest.mark.parametrize("name", ["make", "make_any"])
def test_the_number_of_classes_is_that_of_the_weights(checkpoints: Checkpoints, name: str) -> None:
    net = trained(num_classes=5)
    (checkpoints.folder / "model.toml").write_text((checkpoints.folder / "model.toml").read_text().partition("\n")[2])
    predictor = checkpoints.load(checkpoints.save(net.state_dict()), name)
    assert difference(predictor, net) < 2e-6


def test_a_function_that_takes_no_number_of_classes(checkpoints: Checkpoints) -> None:
    said = checkpoints.refuse(checkpoints.save(trained(num_classes=5).state_dict()), "make_other")
    assert "of another size: head.weight is [5, 4] and should be [3, 4]" in said or "failed in its call" in said


def test_a_model_of_torchvision_needs_no_file_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is fed as torchvision feeds its own weights, which is a guess for those of others."""
    torchvision = pytest.importorskip("torchvision")
    import torch

    monkeypatch.chdir(tmp_path)
    torch.manual_seed(1)
    net: Any = torchvision.models.squeezenet1_1(num_classes=7).eval()
    torch.save({"model": net.state_dict(), "epoch": 1}, "best.pth")
    predictor = Predictor.load("torchvision.models:squeezenet1_1", weights="best.pth")
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (9, 12, 3), dtype=np.uint8))
    photos = [noise.resize(size) for size in ((300, 213), (451, 300), (224, 224))]
    answers = predictor.predict_batch(photos, top_k=7)
    transform = torchvision.models.SqueezeNet1_1_Weights.DEFAULT.transforms()
    with torch.inference_mode():
        expected = torch.softmax(net(torch.stack([transform(photo) for photo in photos])), dim=1).numpy()
    ours = [[entry.score for entry in sorted(answer.top, key=lambda entry: entry.index)] for answer in answers]
    assert np.abs(np.array(ours) - expected).max() < 1e-6
    assert {"size", "short_side", "resample", "mean", "std"} <= set(predictor.guessed)
    Path("models.toml").write_text('labels = "names.txt"\n[input]\npreset = "imagenet"\n')
    Path("names.txt").write_text("\n".join("abcdefg"))
    said = Predictor.load("torchvision.models:squeezenet1_1", weights="best.pth")
    assert (said.guessed, said.labels) == ((), tuple("abcdefg"))
    assert "add its own: --weights best.pth" in refusal("torchvision.models:squeezenet1_1")


def test_a_network_of_a_thousand_classes_has_the_names_of_imagenet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torchvision = pytest.importorskip("torchvision")
    import torch

    monkeypatch.chdir(tmp_path)
    torch.save(torchvision.models.squeezenet1_1().state_dict(), "best.pth")
    predictor = Predictor.load("torchvision.models:squeezenet1_1", weights="best.pth")
    assert predictor.labels is not None
    assert predictor.labels[:2] == ("tench", "goldfish")
    assert predictor.model.origins["labels"][1] == "torchvision"


def test_arguments_that_a_folder_gives_to_a_library_are_refused(tmp_path: Path) -> None:
    """Whoever trusts `subprocess.py` has not vouched for the command that a `model.toml` gives it."""
    mark = tmp_path / "ran"
    folder = tmp_path / "site-packages"
    folder.mkdir()
    (folder / "runs.py").write_text("import os\ndef system(command):\n    os.system(command)\n")
    (tmp_path / "net.toml").write_text(f'[model]\nargs = {{ command = "touch {mark}" }}\n')
    import hashlib

    sha256 = hashlib.sha256((folder / "runs.py").read_bytes()).hexdigest()
    source = ModelSource(
        f"{folder / 'runs.py'}:system", config=tmp_path / "net.toml", sha256=sha256, named_by_file=True
    )
    with pytest.raises(Unsafe, match="its arguments, which nobody has vouched for"):
        load_predictor(source)
    assert not mark.exists()
