"""Weights in a file beside the graph: read from its folder and from nowhere else, once, and hashed."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from cvserve import Predictor
from cvserve.errors import ModelLoadError, Unsafe
from cvserve.predictor.backends.onnx import external
from cvserve.predictor.backends.onnx.graph import read_graph
from cvserve.predictor.backends.onnx.runtime import open_session
from cvserve.predictor.models.files.file import read_model_file
from support.models import load_model
from support.onnx_models import linear, weights_of

SHAPE = ("N", 3, 6, 4)
DATA = "m.onnx.data"
PICTURE = np.arange(72, dtype=np.uint8).reshape(6, 4, 3)


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., Path]:
    """Writes a model whose weights are in another file, and that file."""

    def save(name: str = DATA, *, into: str | None = None, **said: str) -> Path:
        model = linear(SHAPE)
        weights = model.graph.initializer.pop()
        model.graph.initializer.append(outside(weights, name, **said))
        path = tmp_path / "folder" / "m.onnx"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(model.SerializeToString())
        if into is not None:
            (path.parent / into).write_bytes(weights.raw_data)
        return path

    return save


def outside(weights: TensorProto, name: str, **said: str) -> TensorProto:
    """The same tensor with its values in a file."""
    moved = TensorProto(name=weights.name, data_type=weights.data_type, dims=weights.dims)
    moved.data_location = TensorProto.EXTERNAL
    for key, value in {"location": name, **said}.items():
        moved.external_data.add(key=key, value=value)
    return moved


def scores(path: Path) -> list[float]:
    return [entry.score for entry in Predictor.load(path).predict(PICTURE, top_k=3).top]


@pytest.mark.parametrize("where", ["weights", "constant"])
def test_weights_beside_the_graph_are_read_wherever_they_stand_in_it(saved: Callable[..., Path], where: str) -> None:
    path = saved(into=DATA, offset="0", length=str(72 * 3 * 4))
    if where == "constant":
        model = onnx.load(path, load_external_data=False)
        model.graph.node.insert(0, helper.make_node("Constant", [], ["weights"], value=model.graph.initializer.pop()))
        path.write_bytes(model.SerializeToString())
    whole = path.with_name("whole.onnx")
    whole.write_bytes(linear(SHAPE).SerializeToString())
    assert scores(path) == scores(whole)


def test_other_weights_are_another_version(saved: Callable[..., Path]) -> None:
    path = saved(into=DATA)
    before = load_model(path)
    assert before.origins["weights"] == (DATA, "file")
    assert load_model(path).info.sha256 == before.info.sha256
    (path.parent / DATA).write_bytes((weights_of(72) * 2).tobytes())
    assert load_model(path).info.sha256 != before.info.sha256


def test_what_runs_is_what_was_hashed(saved: Callable[..., Path]) -> None:
    path = saved(into=DATA)
    graph = read_graph(read_model_file(path))
    (path.parent / DATA).write_bytes(bytes(72 * 3 * 4))
    pixels = np.ones((1, 3, 6, 4), np.float32)
    (answer,) = open_session(graph.data).run(None, {"pixels": pixels})
    assert np.allclose(answer, pixels.reshape(1, -1) @ weights_of(72), atol=1e-5)


OUTSIDE = [
    ("../secret.bin", r"'\.\./secret\.bin', which is no file in its folder"),
    ("inner/../../secret.bin", "which is no file in its folder"),
    ("{absolute}", "which is no file in its folder"),
    ("", "'', which is no file in its folder"),
    (".", r"'\.', which is no file in its folder"),
    ("C:\\secret.bin", "which is no file in its folder"),
    ("a\x1b[2Jb", r"'a\\x1b\[2Jb', and there is no such file beside it"),
    ("a" * 5000, "which cannot be read: File name too long"),
    ("nothing.data", "'nothing.data', and there is no such file beside it; copy that file as well"),
    ("link.data", r"'link\.data', which is a link out of its folder; put the file itself in its place"),
    ("linked/secret.bin", "which is a link out of its folder"),
    ("inner", "'inner', which is a folder, a pipe or a device"),
    ("pipe", "'pipe', which is a folder, a pipe or a device"),
]


@pytest.mark.parametrize(
    ("name", "text"), OUTSIDE, ids=[name[:20].encode("unicode_escape").decode() or "none" for name, _ in OUTSIDE]
)
def test_nothing_outside_of_the_folder_is_read(
    saved: Callable[..., Path], tmp_path: Path, name: str, text: str
) -> None:
    secret = tmp_path / "secret.bin"
    secret.write_bytes(weights_of(72).tobytes())
    path = saved(str(secret) if name == "{absolute}" else name)
    (path.parent / "link.data").symlink_to(secret)
    (path.parent / "linked").symlink_to(tmp_path)
    (path.parent / "inner").mkdir()
    os.mkfifo(path.parent / "pipe")
    with pytest.raises(ModelLoadError, match=text):
        load_model(path)


def test_a_link_within_the_folder_is_followed(saved: Callable[..., Path]) -> None:
    path = saved(into="real.data")
    (path.parent / DATA).symlink_to("real.data")
    assert len(scores(path)) == 3


def test_weights_that_everybody_may_replace_are_refused(saved: Callable[..., Path]) -> None:
    path = saved(into=DATA)
    (path.parent / DATA).chmod(0o666)
    with pytest.raises(
        Unsafe, match=r"Everybody may replace the weights 'm\.onnx\.data' \(mode 0666\); run: chmod o-w "
    ):
        load_model(path)


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ({"offset": "4"}, r"wants 864 bytes from place 4 of 'm\.onnx\.data', which has 864: that file is cut off"),
        ({"length": "865"}, "wants 865 bytes from place 0"),
        ({"offset": "-4"}, "says offset = '-4' for the weights 'weights', which is no number of bytes"),
        ({"length": "1e3"}, "says length = '1e3'"),
        ({"length": "9" * 5000}, "says length = '9999"),
        ({"length": "860"}, "cannot run 'm.onnx'"),
    ],
    ids=str,
)
def test_a_place_that_cannot_be_is_told(saved: Callable[..., Path], said: dict[str, str], text: str) -> None:
    with pytest.raises(ModelLoadError, match=text):
        load_model(saved(into=DATA, **said))


@pytest.mark.parametrize("size", [0, 1, 863])
def test_a_file_of_weights_that_was_cut_off_is_told(saved: Callable[..., Path], size: int) -> None:
    path = saved(into=DATA)
    os.truncate(path.parent / DATA, size)
    with pytest.raises(ModelLoadError, match=rf"wants 864 bytes .* which has {size}: that file is cut off"):
        load_model(path)


def test_many_weights_in_one_place_do_not_fill_the_memory(saved: Callable[..., Path]) -> None:
    """A file of 64 MiB, of which the graph takes 40 copies."""
    path = saved(into=DATA)
    os.truncate(path.parent / DATA, 64 * 1024**2)
    model = onnx.load(path, load_external_data=False)
    for index in range(40):
        copy = TensorProto(name=f"copy {index}", data_type=TensorProto.FLOAT, dims=[16 * 1024**2])
        model.graph.initializer.append(outside(copy, DATA))
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelLoadError, match=r"has weights of more than .* bytes in other files"):
        load_model(path)


def test_a_file_that_is_too_large_is_not_read(saved: Callable[..., Path]) -> None:
    path = saved(into=DATA)
    os.truncate(path.parent / DATA, 3 * 1024**3)  # of holes
    with pytest.raises(ModelLoadError, match=r"has weights of more than .* bytes in other files"):
        load_model(path)


def test_a_graph_of_too_many_files_is_refused(saved: Callable[..., Path]) -> None:
    path = saved(into=DATA)
    model = onnx.load(path, load_external_data=False)
    for index in range(1001):
        model.graph.initializer.append(outside(numpy_helper.from_array(np.zeros(1), f"w{index}"), f"{index}.data"))
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelLoadError, match="keeps its weights in 1,002 files; at most 1,000 are read"):
        load_model(path)


@pytest.mark.parametrize("form", ["spelt", "linked"])
def test_a_file_of_many_names_is_not_read_for_each(
    saved: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setattr(external, "_MAX_BYTES", 4 * 1024**2)  # of 2 GiB, which take long
    path = saved(into=DATA)
    os.truncate(path.parent / DATA, 1024**2)
    model = onnx.load(path, load_external_data=False)
    for index in range(1, 12):
        name = "./" * index + DATA if form == "spelt" else f"{index}.data"
        if form == "linked":
            (path.parent / name).symlink_to(DATA)
        small = numpy_helper.from_array(np.zeros(1, np.float32), f"w{index}")
        model.graph.initializer.append(outside(small, name, length="4"))
    path.write_bytes(model.SerializeToString())
    if form == "spelt":
        assert load_model(path).origins["weights"] == (DATA, "file")
    else:
        with pytest.raises(ModelLoadError, match=r"has weights of more than .* bytes in other files"):
            load_model(path)
