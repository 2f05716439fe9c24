"""What exporters write beside a graph; that real exports have it is asked in `test_exports.py`."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto

from cvserve import Predictor
from cvserve.errors import ModelLoadError
from support.models import load_model
from support.onnx_models import linear

NAMES = "{0: 'cat', 1: 'dog', 2: 'it\\'s'}"
ULTRALYTICS = {
    "author": "Ultralytics",
    "version": "8.4.190",
    "stride": "1",
    "task": "classify",
    "batch": "1",
    "imgsz": "[6, 6]",
    "names": NAMES,
    "args": "{'batch': 1, 'dynamic': False}",
    "channels": "3",
}


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., Path]:
    def save(model: ModelProto, config: str = "", **props: str) -> Path:
        for key, value in props.items():
            model.metadata_props.add(key=key, value=value)
        path = tmp_path / "m.onnx"
        path.write_bytes(model.SerializeToString())
        path.with_suffix(".toml").write_text(config)
        return path

    return save


@pytest.mark.parametrize("shape", [(1, 3, 6, 6), ("batch", 3, "height", "width")], ids=str)
def test_a_classifier_of_ultralytics_needs_no_config(saved: Callable[..., Path], shape: tuple[int | str, ...]) -> None:
    model = load_model(saved(linear(shape), **ULTRALYTICS))
    assert model.labels == ("cat", "dog", "it's")
    assert model.guessed == ()
    told = {key: model.origins[f"input.{key}"] for key in ("size", "mode", "resize", "decode", "scale", "mean", "std")}
    assert told == {
        "size": ((6, 6), "file"),
        "mode": ("RGB", "file"),
        "resize": ("crop", "file"),
        "decode": ("exact", "file"),
        "scale": (1 / 255, "file"),
        "mean": ((0.0,), "file"),
        "std": ((1.0,), "file"),
    }
    assert model.origins["task"] == ("classify", "file")


def test_a_picture_of_another_shape_is_stretched(saved: Callable[..., Path]) -> None:
    model = load_model(saved(linear((1, 3, 6, 4)), **ULTRALYTICS | {"imgsz": "[6, 4]"}))
    assert model.origins["input.resize"] == ("stretch", "file")
    assert model.origins["input.size"] == ((4, 6), "file")


def test_the_graph_comes_before_its_metadata(saved: Callable[..., Path]) -> None:
    model = load_model(saved(linear((1, 3, 6, 4)), **ULTRALYTICS | {"imgsz": "640"}))
    assert model.origins["input.size"] == ((4, 6), "file")


def test_a_config_comes_before_the_metadata(saved: Callable[..., Path]) -> None:
    path = saved(linear((1, 3, 6, 6)), '[input]\nresize = "stretch"\nscale = 1.0', **ULTRALYTICS)
    model = load_model(path)
    assert model.origins["input.resize"] == ("stretch", "model.toml")
    assert model.origins["input.scale"] == (1.0, "model.toml")
    path.with_suffix(".toml").write_text('labels = ["a", "b"]')
    with pytest.raises(ModelLoadError, match=r"has 2 labels, but 'm\.onnx' knows 3 classes"):
        load_model(path)


@pytest.mark.parametrize("task", ["detect", "segment", "pose", "obb", "a\x1b[2Jb"])
def test_another_task_is_refused_by_its_name(saved: Callable[..., Path], task: str) -> None:
    shown = task.replace("\x1b", r"\\x1b").replace("[", r"\[")
    with pytest.raises(ModelLoadError, match=rf"'m\.onnx' was made for the task '{shown}' .* export a classifier"):
        load_model(saved(linear((1, 3, 6, 6)), **ULTRALYTICS | {"task": task}))


@pytest.mark.parametrize(
    "names",
    [
        "{0: 'cat', 2: 'dog', 3: 'cow'}",
        "{'a': 'cat'}",
        "{}",
        "3",
        "__import__('os').system('touch stolen')",
        "{0: open('/etc/passwd').read()}",
        "(" * 100_000,
        "[" * 5_000,
        "{0: 'a', 1: 'b', 2: 'c'" + " " * 5_000_000 + "}",
    ],
    ids=lambda names: names[:30],
)
def test_names_that_are_none_are_refused_and_never_run(
    saved: Callable[..., Path], names: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelLoadError, match="has names of classes in its metadata that are no dictionary"):
        load_model(saved(linear((1, 3, 6, 6)), **ULTRALYTICS | {"names": names}))
    assert not (tmp_path / "stolen").exists()


def test_names_are_safe_to_print(saved: Callable[..., Path]) -> None:
    path = saved(linear((1, 3, 6, 6)), **ULTRALYTICS | {"names": r"{0: 'a\x1b[2J', 1: 'b', 2: 7}"})
    assert load_model(path).labels == (r"a\x1b[2J", "b", "7")


def test_what_others_write_beside_a_graph_says_nothing(saved: Callable[..., Path]) -> None:
    path = saved(linear((1, 3, 6, 6)), task="image-classification", license="MIT")
    model = load_model(path)
    assert (model.labels, set(model.guessed)) == (None, {"mode", "resize", "resample", "scale", "mean", "std"})
    assert Predictor.load(path).predict(np.zeros((6, 6, 3), np.uint8)).label in "012"
