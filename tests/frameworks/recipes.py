"""What each row of the table "Your framework" in `docs/models.md` begins with: the files, made by that framework."""

import importlib
import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import skops.io
from PIL import Image

from frameworks import estimators
from frameworks.case import Case, soft_max
from support.pages import ROOT, blocks

_NEEDS = "pip install -r tests/frameworks/requirements-long.txt"
# So large that no JPEG among the photos is decoded at a smaller scale.
_SIDE_PX = 96
_OWN_PY = """import numpy as np
from cvserve import Predictor


class MyModel(Predictor):
    labels = ("dark", "light")
    scores = "logits"

    def preprocess(self, image):
        return np.asarray(image.convert("RGB").resize((8, 8)), np.float32) / 255

    def infer(self, batch):
        light = batch.reshape(len(batch), -1).mean(axis=1)
        return np.stack([0.5 - light, light - 0.5], axis=1) * 5
"""


def _scikit_learn(folder: Path) -> Case:
    """Trained on pixels 0…1, which is what cvserve takes when nobody says more."""
    model = estimators.fitted("scaler, PCA and LogisticRegression")
    skops.io.dump(model, folder / "model.skops")
    return Case(folder / "model.skops", partial(estimators.answer, model), is_grey=True)


def _booster(folder: Path) -> Case:
    package = pytest.importorskip("xgboost", reason=_NEEDS)
    model = package.XGBClassifier(n_estimators=5, max_depth=3).fit(*estimators.training_data())
    joblib.dump(model, folder / "model.joblib")
    return Case(folder / "model.joblib", partial(estimators.answer, model), is_grey=True)


def _of(module: str, table: str, name: str, folder: Path) -> Case:
    """A case of another file of this folder, which needs its framework to be imported."""
    case: Case = getattr(importlib.import_module(f"frameworks.{module}"), table)[name](folder)
    return case


def _lightning(folder: Path) -> Case:
    case = _of("torch_nets", "TORCH", "Lightning", folder)
    (folder / "best.pth").rename(folder / "best.ckpt")
    return case


def _safetensors(folder: Path) -> Case:
    case = _of("torch_nets", "TORCH", "state dict", folder)
    state = importlib.import_module("torch").load(folder / "best.pth")
    importlib.import_module("safetensors.torch").save_file(state, folder / "best.safetensors")
    (folder / "best.pth").unlink()
    return case


_PAGE, _FASTAI = "docs/models.md", "Lightning and fastai"


def _fastai(folder: Path) -> Case:
    """A Learner, made ONNX by the lines of the page."""
    fastai = pytest.importorskip("fastai.vision.all", reason=_NEEDS)
    torch_nets = importlib.import_module("frameworks.torch_nets")
    for name in "01234":
        (folder / "pictures" / name).mkdir(parents=True)
        for number in range(2):
            Image.new("RGB", (40, 40)).save(folder / "pictures" / name / f"{number}.png")
    loaders = fastai.ImageDataLoaders.from_folder(
        folder / "pictures",
        valid_pct=0.1,  # one picture, so that each class is among the others
        item_tfms=fastai.Resize(torch_nets.SIDE_PX),
        batch_tfms=fastai.Normalize.from_stats(*fastai.imagenet_stats),
        num_workers=0,
    )
    learner = fastai.Learner(loaders, torch_nets.trained())
    learner.export(folder / "export.pkl")
    blocks_ = [re.sub(r"\b(?<!\.)224\b", str(torch_nets.SIDE_PX), block) for block in blocks(_PAGE, "python", _FASTAI)]
    (code,) = [block for block in blocks_ if "export.pkl" in block]
    (transform,) = [block for block in blocks_ if "def val" in block]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "tests"), *sys.path])}
    command = [sys.executable, "-W", "ignore", "-c", code]
    subprocess.run(command, cwd=folder, check=True, env=environment, timeout=300)
    (folder / "fastai_input.py").write_text(transform, encoding="utf-8")
    (config,) = blocks(_PAGE, "toml", _FASTAI)
    (folder / "export.toml").write_text(config, encoding="utf-8")

    def answer(photo: Image.Image) -> Any:
        with learner.no_bar():
            return learner.predict(fastai.PILImage.create(np.asarray(photo)))[2].numpy()

    return Case(folder / "export.onnx", answer, {"trust": True})


def _litert(folder: Path) -> Case:
    """The plugin, installed into the working folder, and a model that LiteRT's own schema writes."""
    pytest.importorskip("ai_edge_litert", reason=_NEEDS)
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--disable-pip-version-check", "--target", str(folder)]
    example = ROOT / "examples/litert"
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(example)], check=True, timeout=120)
    spec = importlib.util.spec_from_file_location("lite_models", example / "tests/lite_models.py")
    assert spec
    assert spec.loader
    lite_models = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(lite_models)
    weights = np.random.default_rng(3).normal(0, 0.06, (4, _SIDE_PX**2 * 3)).astype(np.float32)
    (folder / "model.tflite").write_bytes(lite_models.linear((1, _SIDE_PX, _SIDE_PX, 3), weights))
    (folder / "model.toml").write_text('[input]\ndecode = "exact"\n', encoding="utf-8")

    def answer(photo: Image.Image) -> Any:
        pixels = np.asarray(photo.resize((_SIDE_PX, _SIDE_PX), Image.Resampling.BILINEAR), np.float32) / 255
        return soft_max(weights @ pixels.reshape(-1))

    return Case(folder / "model.tflite", answer)


def _ultralytics(folder: Path) -> Case:
    pytest.importorskip("ultralytics", reason=_NEEDS)
    return _of("ultralytics_nets", "ULTRALYTICS", "as it is", folder)


def _keras(folder: Path) -> Case:
    pytest.importorskip("torch")
    return _of("keras_nets", "KERAS", "Rescaling to 0…1", folder)


def _tensorflow(folder: Path) -> Case:
    """A SavedModel of bare TensorFlow, converted by the command of the page."""
    tensorflow = pytest.importorskip("tensorflow", reason=_NEEDS)
    pytest.importorskip("tf2onnx", reason=_NEEDS)
    weights = np.random.default_rng(3).normal(0, 0.06, (_SIDE_PX**2 * 3, 4)).astype(np.float32)

    def give_logits(x: Any) -> Any:
        return tensorflow.reshape(x / 255.0 - 0.5, (-1, _SIDE_PX**2 * 3)) @ weights

    net = tensorflow.Module()
    taken = tensorflow.TensorSpec((None, _SIDE_PX, _SIDE_PX, 3), tensorflow.float32)
    net.serve = tensorflow.function(give_logits, input_signature=[taken])
    tensorflow.saved_model.save(net, str(folder / "saved"), signatures=net.serve)
    convert = ["-m", "tf2onnx.convert", "--saved-model", "saved", "--output", "model.onnx"]
    subprocess.run([sys.executable, *convert], cwd=folder, check=True, capture_output=True, timeout=300)

    def answer(photo: Image.Image) -> Any:
        pixels = np.asarray(photo.resize((_SIDE_PX, _SIDE_PX), Image.Resampling.BILINEAR), np.float32)[None]
        return tensorflow.nn.softmax(give_logits(tensorflow.constant(pixels)))[0].numpy()

    return Case(folder / "model.onnx", answer)


def _own_class(folder: Path) -> Case:
    (folder / "my_model.py").write_text(_OWN_PY, encoding="utf-8")

    def answer(photo: Image.Image) -> Any:
        light = float((np.asarray(photo.resize((8, 8)), np.float32) / 255).mean())
        powers = np.exp([(0.5 - light) * 5, (light - 0.5) * 5])
        return powers / powers.sum()

    return Case(f"{folder / 'my_model.py'}:MyModel", answer)


RECIPES: dict[str, Callable[[Path], Case]] = {
    "scikit-learn": _scikit_learn,
    "XGBoost, LightGBM, CatBoost": _booster,
    "PyTorch": partial(_of, "torch_nets", "TORCH", "state dict"),
    "any weights as safetensors": _safetensors,
    "PyTorch Lightning": _lightning,
    "fastai": _fastai,
    "`torch.export`": partial(_of, "torch_nets", "TORCH", "torch.export"),
    "TorchScript": partial(_of, "torch_nets", "TORCH", "TorchScript"),
    "torchvision": partial(_of, "whole", "WHOLE", "torchvision"),
    "timm": partial(_of, "whole", "WHOLE", "timm"),
    "Hugging Face": partial(_of, "whole", "WHOLE", "Hugging Face"),
    "Ultralytics": _ultralytics,
    "Keras": _keras,
    "TensorFlow": _tensorflow,
    "LiteRT (TensorFlow Lite)": _litert,
    "anything else": _own_class,
}
