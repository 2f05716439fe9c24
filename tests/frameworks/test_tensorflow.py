"""What TensorFlow saves, made ONNX by the command that cvserve prints, answers as it does in TensorFlow."""

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cvserve import Predictor
from cvserve.errors import ModelLoadError
from frameworks.case import TOLERANCE, Case
from frameworks.photos import photos
from support.models import load_model

if not all(importlib.util.find_spec(name) for name in ("tensorflow", "tf2onnx")):
    pytest.skip("pip install tensorflow-cpu tf2onnx, and these tests run", allow_module_level=True)

# Keras chooses what is below it when it is imported; in this process that may be PyTorch already.
MAKE = """
import keras, numpy
keras.utils.set_random_seed(5)
layers = keras.layers
model = keras.Sequential([
    keras.Input((32, 32, 3)), layers.Rescaling(1 / 127.5, -1), layers.Conv2D(16, 3, 2, activation="relu"),
    layers.Conv2D(32, 3, 2, activation="relu"), layers.Flatten(), layers.Dense(4), layers.Softmax(),
])
pictures = numpy.load("pictures.npy")
model.layers[4].set_weights([4 * weights for weights in model.layers[4].get_weights()])
numpy.save("scores.npy", model.predict(pictures, verbose=0))
model.export("saved", verbose=False)
model.save("model.keras")
model.save("model.h5")
"""
TOML = '[input]\nmode = "RGB"\nresize = "stretch"\nresample = "nearest"\ndecode = "exact"\n'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One network in all the forms in which TensorFlow and Keras save it."""
    made = tmp_path_factory.mktemp("tensorflow")
    np.save(
        made / "pictures.npy",
        np.stack([np.asarray(photo.resize((32, 32), 0), np.float32) for photo in photos().values()]),
    )
    run([sys.executable, "-c", MAKE], made)
    return made


def run(command: list[str], folder: Path) -> None:
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    ended = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("name", ["saved", "model.keras", "model.h5"])
def test_the_command_works_as_it_is_printed(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(ModelLoadError, match="which is served as ONNX; make it where") as refused:
        load_model(Path(name))
    (command,) = re.findall(r"python -.*", str(refused.value))
    python, *arguments = shlex.split(command)
    assert python == "python"
    run([sys.executable, *arguments], folder)
    made = folder / ("saved.onnx" if name == "saved" else "model.onnx")
    made.with_suffix(".toml").write_text(TOML, encoding="utf-8")
    scores = iter(np.load(folder / "scores.npy"))
    assert Case(made, lambda _photo: next(scores)).differ() <= TOLERANCE
    assert Predictor.load(made).model.origins["input.scale"] == (1.0, "file")
