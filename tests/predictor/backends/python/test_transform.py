"""What a transform of the user's own may be and may give, and what is said of one that cannot be used."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image

from cvserve.errors import ModelError, ModelLoadError
from cvserve.predictor.contract import LoadedModel
from cvserve.predictor.predictor import LoadedPredictor, Predictor
from support.models import load_model
from support.onnx_models import linear

HEAD = "import numpy as np\n\n\ndef array(image):\n    return np.asarray(image.resize((5, 4)), np.float32) / 255\n\n\n"
PHOTO = Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8))
WANTED = (np.asarray(PHOTO.resize((5, 4)), np.float32) / 255).transpose(2, 0, 1)


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., LoadedModel]:
    """Load a model [N, 3, 4, 5] with a transform `named` of a file `train.py`."""

    def write(code: str, named: str = "named", **options: Any) -> LoadedModel:
        model = tmp_path / "model.onnx"
        onnx.save(linear(["n", 3, 4, 5]), model)
        (tmp_path / "train.py").write_text(HEAD + code)
        (tmp_path / "model.toml").write_text(f'[input]\ntransform = "train.py:{named}"\n')
        return load_model(model, trust=True, **options)

    return write


@pytest.mark.parametrize(
    "code",
    [
        "def named(image):\n    return array(image).transpose(2, 0, 1)",
        "def named(image):\n    return array(image)",  # [H, W, C]: turned for a model that takes [C, H, W]
        "def named(image):\n    return array(image).astype(float)[None]",  # a batch of one
        "def named():\n    return array",
        "def named(size=3):\n    return array",
        "class named:\n    def __call__(self, image):\n        return array(image)",
        "class Compose:\n    def __call__(self, image):\n        return array(image)\n\n\nnamed = Compose()",
        "named = lambda image: {'pixel_values': array(image)[None]}",
        # Albumentations' own way to be called, and to answer.
        "class Compose:\n    __module__ = 'albumentations.core'\n"
        "    def __call__(self, *, image):\n        from PIL import Image\n"
        "        return {'image': array(Image.fromarray(image))}\n\n\nnamed = Compose()",
    ],
)
def test_every_form_gives_the_same_array(load: Callable[..., LoadedModel], code: str) -> None:
    prepared = load(code).preparation.prepare(PHOTO)
    assert np.array_equal(np.asarray(prepared), WANTED)
    assert np.asarray(prepared).dtype == np.float32


def test_torchvision(load: Callable[..., LoadedModel]) -> None:
    transforms = pytest.importorskip("torchvision.transforms")
    code = (
        "import torchvision.transforms as T\n"
        "named = T.Compose([T.Resize(6), T.CenterCrop((4, 5)), T.ToTensor(), T.Normalize([0.5] * 3, [0.2] * 3)])"
    )
    steps = (transforms.Resize(6), transforms.CenterCrop((4, 5)), transforms.ToTensor())
    wanted = transforms.Compose([*steps, transforms.Normalize([0.5] * 3, [0.2] * 3)])(PHOTO).numpy()
    assert np.array_equal(np.asarray(load(code).preparation.prepare(PHOTO)), wanted)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("", "named in train.py is not there"),
        ("named = 3", "is of type int, which cannot be called"),
        ("named = open('nothing')", "failed in its import: train.py, line 8: FileNotFoundError"),
        ("def named(image):\n    return image.nothing", r"named in train.py, line 8, failed .*line 9: AttributeError"),
        ("def named():\n    return 3", "line 8, takes no picture and gives a int"),
        ("def named():\n    return undefined", "failed in making the transform: train.py, line 9: NameError"),
        ("def named(image):\n    return image", r"line 8, gives a picture and no numbers; let it end with ToTensor"),
        ("def named(image):\n    return {'x': 1}", "mapping without image or pixel_values"),
        ("def named(image):\n    return np.stack([array(image)] * 2)", r"gives float32 \[2, 4, 5, 3\]"),
        ("def named(image):\n    return 'text'", r"gives <U4 \[\]"),
        ("def named(image):\n    return np.random.rand(3, 4, 5)", "two arrays of the same picture.*of validation"),
        ("def named(image):\n    return array(image)[:2]", "fails on a grey picture|takes"),
    ],
)
def test_what_is_wrong_with_it_is_said_while_loading(load: Callable[..., LoadedModel], code: str, words: str) -> None:
    with pytest.raises(ModelLoadError, match=words):
        load(code)


def test_it_cannot_be_compiled(skops_file: Path) -> None:
    skops_file.with_name("train.py").write_text(
        "import numpy as np\ndef grey(image):\n    return np.asarray(image.convert('L').resize((8, 8)))"
    )
    skops_file.with_suffix(".toml").write_text('[input]\ntransform = "train.py:grey"\n')
    assert load_model(skops_file, trust=True).backend.infer(np.zeros((1, 64))) is not None
    with pytest.raises(ModelLoadError, match=r"digits\.toml go through a transform; leave out require"):
        load_model(skops_file, trust=True, compile="require")


def test_a_picture_on_which_it_fails_costs_that_picture_alone(load: Callable[..., LoadedModel], tmp_path: Path) -> None:
    load("def named(image):\n    return array(image) if image.width > 9 else image.nothing")
    predictor = Predictor.load(tmp_path / "model.onnx", trust=True)
    small, good = predictor.predict_each([np.zeros((5, 5, 3), np.uint8), np.zeros((30, 30, 3), np.uint8)])
    assert isinstance(small, ModelError)
    assert "preprocess" in str(small)
    assert not isinstance(good, ModelError)


def test_what_the_model_sees_is_drawn(load: Callable[..., LoadedModel], tmp_path: Path) -> None:
    load("def named(image):\n    return array(image)")
    predictor = Predictor.load(tmp_path / "model.onnx", trust=True)
    assert isinstance(predictor, LoadedPredictor)
    seen = predictor.model.preparation.render(WANTED)
    assert (seen.mode, seen.size) == ("RGB", (5, 4))
