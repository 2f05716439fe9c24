"""What Keras exports answers as Keras does: how its pixels are scaled stands in the graph."""

import importlib
import importlib.util
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from cvserve import Predictor
from cvserve.errors import ModelLoadError
from frameworks.case import TOLERANCE, Case
from support.models import load_model

pytest.importorskip("torch", reason="pip install 'cvserve[torch]', and these tests run")
if not importlib.util.find_spec("keras"):  # to import it takes seconds, and its backend must be said before
    pytest.skip("pip install keras, and these tests run", allow_module_level=True)
KERAS: dict[str, Callable[[Path], Case]] = importlib.import_module("frameworks.keras_nets").KERAS

# Keras with PyTorch below it asks for arrays in a way that NumPy is about to drop.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.mark.parametrize("name", KERAS)
def test_scores_are_those_of_keras(tmp_path: Path, name: str) -> None:
    case = KERAS[name](tmp_path)
    assert case.differ() <= TOLERANCE
    origins = Predictor.load(case.path).model.origins
    assert (origins["input.scale"], origins["input.layout"]) == ((1.0, "file"), ("NHWC", "file"))


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.filterwarnings("ignore")  # of PyTorch's exporter about itself
def test_the_command_for_a_file_of_keras_works_as_it_is_printed(
    home: Path, suffix: str, capfd: pytest.CaptureFixture[str]
) -> None:
    nets = importlib.import_module("frameworks.keras_nets")
    model = nets.network(nets.keras.layers.Rescaling(1 / 255))
    saved = home / f"it's mine{suffix}"
    model.save(saved)
    with pytest.raises(ModelLoadError, match="which is served as ONNX; make it where Keras is installed") as refused:
        load_model(saved)
    python, option, code = shlex.split(str(refused.value).rpartition("tf2onnx): ")[2])
    assert (python, option) == ("python", "-c")
    exec(code, {})  # what the shell would start; to import Keras once more takes seconds
    made = saved.with_suffix(".onnx")
    made.with_suffix(".toml").write_text(nets.TOML, encoding="utf-8")
    assert Case(made, lambda photo: nets.answer(model, photo)).differ() <= TOLERANCE


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.filterwarnings("ignore")  # of Keras about HDF5
def test_two_inputs_are_counted(tmp_path: Path, suffix: str) -> None:
    layers = importlib.import_module("frameworks.keras_nets").keras
    inputs = [layers.Input((4, 4, 3)), layers.Input((2,))]
    joined = layers.layers.Concatenate()([layers.layers.Flatten()(inputs[0]), inputs[1]])
    layers.Model(inputs, layers.layers.Dense(2)(joined)).save(tmp_path / f"m{suffix}")
    with pytest.raises(ModelLoadError, match="of a network with 2 inputs"):
        load_model(tmp_path / f"m{suffix}")


def test_weights_of_keras_alone_are_told(tmp_path: Path) -> None:
    nets = importlib.import_module("frameworks.keras_nets")
    path = tmp_path / "m.weights.h5"
    nets.network().save_weights(path)
    with pytest.raises(ModelLoadError, match=r"HDF5 file without a network: .* load_weights\('m\.weights\.h5'\)"):
        load_model(path)
