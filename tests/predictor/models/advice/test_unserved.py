"""Files of formats that are known by name only: what to do with them. Keras itself is asked whether that works."""

import shlex
import zipfile
from pathlib import Path

import pytest

from cvserve.errors import ModelLoadError
from support.models import load_model

HDF5 = b"\x89HDF\r\n\x1a\n"


def test_a_model_of_keras_gets_the_command_that_exports_it(tmp_path: Path) -> None:
    path = tmp_path / "it's mine.h5"
    path.write_bytes(HDF5 + b'model_config {"class_name": "Functional"}')
    with pytest.raises(
        ModelLoadError, match=r"is an HDF5 file, which is served as ONNX; make it where Keras"
    ) as refused:
        load_model(path)
    python, option, code = shlex.split(str(refused.value).rpartition("tf2onnx): ")[2])
    assert (python, option) == ("python", "-c")
    assert f'load_model("{path}")' in code
    compile(code, "command", "exec")


INPUTS = {
    '{"layers": [{"input_layers": [["x", 0, 0]]}], "input_layers": [["a", 0, 0], ["b", 0, 0]]}': 2,
    '{"input_layers": {"a": ["a", 0, 0], "b": ["b", 0, 0], "c": ["c", 0, 0]}}': 3,
    '{"layers": [{"input_layers": [["x", 0, 0], ["y", 0, 0]]}], "input_layers": [["a", 0, 0]]}': 1,
    '{"input_layers": ["a", 0, 0]}': 1,
}


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
@pytest.mark.parametrize(("config", "inputs"), INPUTS.items())
def test_a_network_of_several_inputs_gets_no_command(tmp_path: Path, suffix: str, config: str, inputs: int) -> None:
    path = tmp_path / f"m{suffix}"
    if suffix == ".h5":
        path.write_bytes(HDF5 + f"model_config {config}".encode() + b"\0\xff" * 20)
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("metadata.json", "{}")
            archive.writestr("config.json", config)
            archive.writestr("model.weights.h5", "")
    words = f"of a network with {inputs} inputs, and cvserve serves" if inputs > 1 else "which is served as ONNX"
    with pytest.raises(ModelLoadError, match=words):
        load_model(path)


def test_weights_alone_are_told(tmp_path: Path) -> None:
    path = tmp_path / "m.weights.h5"
    path.write_bytes(HDF5 + b"layers")
    with pytest.raises(ModelLoadError, match=r"is an HDF5 file without a network: if these are weights of Keras"):
        load_model(path)


def test_lite_models_get_the_name_of_the_plugin(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(b"\x1c\x00\x00\x00TFL3" + bytes(100))
    with pytest.raises(ModelLoadError, match=rf"plugin cvserve-litert .* --tflite {path} --output {tmp_path}/m\.onnx"):
        load_model(path)


def test_what_nobody_serves_is_named(tmp_path: Path) -> None:
    path = tmp_path / "m.zip"
    path.write_bytes(b"PK\x05\x06" + bytes(18))
    with pytest.raises(ModelLoadError, match=r"is a zip archive, and cvserve serves scikit-learn files"):
        load_model(path)


def test_a_saved_model_gets_the_command_that_converts_it(tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(b"\x08\x01")
    with pytest.raises(ModelLoadError, match=rf"--saved-model {folder} --output saved\.onnx"):
        load_model(folder)
    with pytest.raises(ModelLoadError, match=rf"'saved_model\.pb' is a SavedModel .* --saved-model {folder} --output"):
        load_model(folder / "saved_model.pb")
