"""Files of formats that are known by name only: what to do with them. Keras itself is asked whether that works."""

import shlex
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
