import bz2
import gzip
import hashlib
import io
import lzma
import os
import pickle
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest

from cvserve.errors import InvalidSetting, ModelLoadError, Unsafe
from cvserve.predictor.models.files.file import check_sha256, read_model_file
from cvserve.predictor.models.formats.kinds import Kind, kind_of


def kind_seen(data: bytes) -> Kind:
    """What the content says that it is; there must be something."""
    kind = kind_of(data)
    assert kind is not None
    return kind


def zipped(**members: bytes | str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "/").replace("_dot_", "."), data)
    return buffer.getvalue()


def dumped(compress: int | tuple[str, int]) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(np.arange(5.0), buffer, compress=compress)
    return buffer.getvalue()


@pytest.mark.parametrize("protocol", range(6))
def test_pickles_of_every_protocol_are_seen_by_content(protocol: int) -> None:
    assert kind_seen(pickle.dumps({"a": [1, 2]}, protocol)).key == "pickle"


@pytest.mark.parametrize("compress", [0, ("zlib", 3), ("gzip", 3), ("bz2", 3), ("xz", 3), ("lzma", 3)])
def test_joblib_files_are_seen_by_content(compress: int | tuple[str, int]) -> None:
    assert kind_seen(dumped(compress)).key == "joblib"


@pytest.mark.parametrize(
    ("data", "key"),
    [
        (zipped(schema_dot_json="{}"), "skops"),
        (zipped(model__data_dot_pkl=b"x"), "torch"),
        (zipped(model__data_dot_pkl=b"x", model__code_dot_py=b"x"), "torch"),
        (zipped(m__archive_format=b"pt2"), "torch-export"),
        (zipped(config_dot_json=b"{}", model_dot_weights_dot_h5=b""), "keras"),
        (zipped(arr_0_dot_npy=b""), "zip"),
        (b"\x89HDF\r\n\x1a\n" + bytes(20), "hdf5"),
        (b"\x08\x0a\x12\x08skl2onnx", "onnx"),
        ((20).to_bytes(8, "little") + b'{"__metadata__":{}}' + bytes(20), "safetensors"),
        (b"\x04\x22\x4d\x18" + bytes(20), "joblib"),
    ],
)
def test_other_formats_are_seen_by_content(data: bytes, key: str) -> None:
    assert kind_seen(data).key == key


def test_torchscript_is_a_torch_zip_with_code() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("m/data.pkl", b"x")
        archive.writestr("m/code/__torch__.py", b"x")
    kind = kind_seen(buffer.getvalue())
    assert kind.key == "torchscript"
    assert kind.hides_code


@pytest.mark.parametrize(
    "data",
    [b"\x80", b"\x08", b"x", b"hello world.", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"MZ\x90", bytes(100)],
)
def test_what_is_no_model_has_no_kind(data: bytes, tmp_path: Path) -> None:
    assert kind_of(data) is None
    path = tmp_path / "model.bin2"
    path.write_bytes(data)
    with pytest.raises(ModelLoadError, match=r"'model.bin2' .* is no model file"):
        read_model_file(path)


def test_what_is_hashed_is_what_was_read(tmp_path: Path) -> None:
    path = tmp_path / "m.pkl"
    data = pickle.dumps([1, 2, 3])
    path.write_bytes(data)
    file = read_model_file(path)
    path.write_bytes(b"something else")
    assert file.data == data
    assert file.sha256 == hashlib.sha256(data).hexdigest()
    assert file.size == len(data)
    assert "m.pkl" in repr(file)


@pytest.mark.parametrize(
    ("name", "data", "called", "is_"),
    [
        ("m.skops", pickle.dumps(1), "a skops file", "a pickle"),
        ("m.skops", dumped(3), "a skops file", "a joblib file"),
        ("m.onnx", zipped(schema_dot_json="{}"), "an ONNX model", "a skops file"),
        ("m.onnx", pickle.dumps(1), "an ONNX model", "a pickle"),
        ("m.pkl", zipped(schema_dot_json="{}"), "a pickle", "a skops file"),
        ("m.JOBLIB", zipped(schema_dot_json="{}"), "a pickle", "a skops file"),
    ],
)
def test_extension_and_content_must_agree(tmp_path: Path, name: str, data: bytes, called: str, is_: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(ModelLoadError, match=f"Format mismatch: '{name}' is called {called} but is {is_}"):
        read_model_file(path)


@pytest.mark.parametrize("name", ["m.pkl", "m.pickle", "m.joblib", "m.model", "m"])
def test_pickle_and_joblib_share_extensions_and_unknown_ones_promise_nothing(tmp_path: Path, name: str) -> None:
    for data, key in ((pickle.dumps(1), "pickle"), (dumped(0), "joblib")):
        path = tmp_path / name
        path.write_bytes(data)
        assert read_model_file(path).kind.key == key


def test_folder_empty_missing_and_pipe_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match="is a folder; name the model file in it"):
        read_model_file(tmp_path)
    with pytest.raises(ModelLoadError, match="There is no model file"):
        read_model_file(tmp_path / "nothing.pkl")
    with pytest.raises(ModelLoadError, match="cannot be read"):
        read_model_file("a\0b")
    empty = tmp_path / "empty.pkl"
    empty.touch()
    with pytest.raises(ModelLoadError, match=r"is empty \(0 bytes\)"):
        read_model_file(empty)
    pipe = tmp_path / "pipe.pkl"
    os.mkfifo(pipe)
    with pytest.raises(ModelLoadError, match="a pipe or a device"):
        read_model_file(pipe)
    with pytest.raises(ModelLoadError, match="a pipe or a device"):
        read_model_file("/dev/zero")


def test_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "m.pkl"
    path.write_bytes(pickle.dumps(list(range(100))))
    with pytest.raises(ModelLoadError, match="at most 10 are read"):
        read_model_file(path, max_bytes=10)
    # A sparse file: it would take minutes if it were read.
    with open(tmp_path / "huge.pkl", "wb") as file:
        file.truncate(10 * 1024**4)
    with pytest.raises(ModelLoadError, match="10,995,116,277,760 bytes"):
        read_model_file(tmp_path / "huge.pkl")


def test_a_file_that_everybody_may_replace_is_unsafe(tmp_path: Path) -> None:
    path = tmp_path / "m.pkl"
    path.write_bytes(pickle.dumps(1))
    path.chmod(0o666)
    with pytest.raises(Unsafe, match=r"mode 0666.*chmod o-w"):
        read_model_file(path)


def test_links_are_followed_as_in_a_mounted_config_map(tmp_path: Path) -> None:
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data" / "m.pkl").write_bytes(pickle.dumps(1))
    (tmp_path / "m.pkl").symlink_to("..data/m.pkl")
    assert read_model_file(tmp_path / "m.pkl").kind.key == "pickle"
    (tmp_path / "round").symlink_to("round")
    with pytest.raises(ModelLoadError, match="cannot be read"):
        read_model_file(tmp_path / "round")


def test_sha256_must_be_one_and_must_fit(tmp_path: Path) -> None:
    path = tmp_path / "m.pkl"
    path.write_bytes(pickle.dumps(1))
    file = read_model_file(path)
    check_sha256(file, f" {file.sha256.upper()}\n")
    with pytest.raises(ModelLoadError, match=f"{file.sha256}, not {'0' * 64}"):
        check_sha256(file, "0" * 64)
    for wrong in ("", "abc", "g" * 64, file.sha256[:12]):
        with pytest.raises(InvalidSetting, match="is no SHA-256"):
            check_sha256(file, wrong)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, zlib.compress, lzma.compress])
def test_compressed_text_is_taken_for_joblib_and_so_needs_trust(pack: Callable[..., Any]) -> None:
    assert kind_seen(pack(b"any text")).hides_code
