"""A `model.toml` that names code: it is read, and run only where somebody vouches for it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest

from cvserve.errors import ModelLoadError, Unsafe, UntrustedModel
from cvserve.predictor.contract import scores_of
from cvserve.predictor.predictor import Predictor
from support.command import cvserve
from support.models import load_model
from support.onnx_models import linear

CODE = """
from pathlib import Path
Path(__file__).with_name("ran").touch()
import numpy as np
import helper


def val_transform(image):
    return np.asarray(image.resize((4, 3)), dtype=np.float32).transpose(2, 0, 1) / helper.MOST
"""
OWN_CLASS = """
class Net:
    def infer(self, batch):
        return batch.mean(axis=(2, 3))
"""


@pytest.fixture(autouse=True)
def fresh_modules() -> Iterator[None]:
    """Other tests name files of theirs alike, and want none of these modules."""
    known = set(sys.modules)
    yield
    for name in {"train", "helper", "net"} - known:
        sys.modules.pop(name, None)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A stranger's folder: an ONNX file, and a `model.toml` that names a transform."""
    path = tmp_path / "model.onnx"
    onnx.save(linear(["n", 3, 3, 4]), path)
    (tmp_path / "train.py").write_text(CODE)
    (tmp_path / "helper.py").write_text("MOST = 255\n")
    (tmp_path / "model.toml").write_text('[input]\ntransform = "train.py:val_transform"\n')
    return path


def has_run(model: Path) -> bool:
    return model.with_name("ran").exists()


def test_code_of_a_stranger_is_not_run_and_the_command_that_is_printed_lets_it(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UntrustedModel, match=r"train.py' is a Python file.*imports helper") as caught:
        load_model(model)
    assert not has_run(model)
    command = str(caught.value).partition("run: cvserve ")[2].split()
    monkeypatch.chdir(model.parent)
    assert cvserve(*command).code == 0
    assert not has_run(model)
    loaded = load_model(model)
    assert has_run(model)
    assert loaded.origins["input.transform"] == ("train.py:val_transform", "model.toml")
    assert loaded.guessed == ()


def test_what_it_imports_is_vouched_for_with_it(model: Path) -> None:
    with pytest.raises(UntrustedModel) as caught:
        load_model(model)
    command = str(caught.value).partition("run: cvserve ")[2].split()
    assert cvserve(*command).code == 0
    model.with_name("helper.py").write_text("MOST = 1\n")
    with pytest.raises(UntrustedModel, match="helper changed since"):
        load_model(model)
    assert not has_run(model)


def test_who_vouches_in_python_runs_it(model: Path) -> None:
    assert Predictor.load(model, trust=True).predict(np.zeros((5, 5, 3), np.uint8)).score > 0


def test_the_hash_of_the_model_vouches_for_the_model_alone(model: Path) -> None:
    version = load_model(model, trust=True).info.sha256
    model.with_name("ran").unlink()
    with pytest.raises(UntrustedModel):
        load_model(model, sha256=subprocess.check_output(["sha256sum", model], text=True).split()[0])
    assert not has_run(model)
    model.with_name("helper.py").write_text("MOST = 1\n")
    assert load_model(model, trust=True).info.sha256 != version


def test_a_class_that_a_person_names_brings_the_code_of_its_folder(model: Path) -> None:
    model.with_name("net.py").write_text(OWN_CLASS)
    model.with_name("model.toml").rename(model.with_name("net.toml"))
    named = f"{model.with_name('net.py')}:Net"
    with pytest.raises(UntrustedModel, match=r"net\.py"):
        load_model(named, named_by_file=True)
    assert not has_run(model)
    assert load_model(named).origins["input.transform"][1] == "model.toml"
    assert has_run(model)


def test_a_class_and_a_transform_that_are_vouched_for_each_import_their_own(model: Path) -> None:
    """Neither may import what is not in its hash, and that of the other is."""
    model.with_name("layers.py").write_text("AXES = (2, 3)\n")
    code = OWN_CLASS.replace("        return", "        import layers\n        return").replace("(2, 3)", "layers.AXES")
    model.with_name("net.py").write_text(code)
    model.with_name("model.toml").rename(model.with_name("net.toml"))
    named = f"{model.with_name('net.py')}:Net"
    for file in ("net.py", "train.py"):
        with pytest.raises(UntrustedModel, match=file) as caught:
            load_model(named, named_by_file=True)
        assert cvserve(*str(caught.value).partition("run: cvserve ")[2].split()).code == 0
    before = list(sys.meta_path)
    try:
        answer = scores_of(load_model(named, named_by_file=True).backend.infer(np.zeros((2, 3, 4, 5))))
        assert answer.shape == (2, 3)
    finally:
        sys.meta_path[:] = before  # what is vouched for stays so in a process, and other tests come


def test_what_is_vouched_for_imports_nothing_from_a_folder_in_its_folder(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a path that it makes up, which nobody has seen in its text."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    (model.parent / "lib").mkdir()
    (model.parent / "lib" / "deep_code.py").write_text("open(__file__ + '.ran', 'w').close()\n")
    code = CODE.replace(
        "import helper", "import sys\nsys.path.insert(0, str(Path(__file__).parent / 'lib'))\nimport deep_code"
    )
    model.with_name("train.py").write_text(code)
    with pytest.raises(UntrustedModel) as caught:
        load_model(model)
    assert cvserve(*str(caught.value).partition("run: cvserve ")[2].split()).code == 0
    with pytest.raises(ModelLoadError, match="deep_code is beside the model and not in its hash"):
        load_model(model)
    assert not (model.parent / "lib" / "deep_code.py.ran").exists()


@pytest.mark.parametrize(
    "value",
    [
        "../train.py:f",
        "/tmp/train.py:f",
        "train.py",
        "train:f",
        "train.py:",
        "train.py:a b",
        "train.py:__import__('os')",
    ],
)
def test_only_a_file_in_the_folder_can_be_named(model: Path, value: str) -> None:
    model.with_name("model.toml").write_text(f'[input]\ntransform = "{value}"\n')
    with pytest.raises(ModelLoadError, match=r"input\.transform = .*a Python file beside it"):
        load_model(model, trust=True)


def test_a_link_out_of_the_folder_is_refused(model: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "train.py"
    model.with_name("train.py").rename(outside)
    model.with_name("train.py").symlink_to(outside)
    with pytest.raises(Unsafe, match=r"'train\.py' leads out of the folder of model\.toml"):
        load_model(model, trust=True)
    model.with_name("train.py").unlink()
    with pytest.raises(ModelLoadError, match="there is no file"):
        load_model(model, trust=True)


def test_what_a_transform_makes_idle_is_refused(model: Path) -> None:
    with model.with_name("model.toml").open("a") as file:
        file.write('mean = 0.5\npreset = "imagenet"\n')
    with pytest.raises(ModelLoadError, match=r"has a transform.*and mean, preset beside it.*idle"):
        load_model(model, trust=True)


def test_inspect_shows_the_code_that_would_be_run(model: Path) -> None:
    said = cvserve("model", "inspect", str(model), "--json")
    assert said.code == 5
    assert '"file": "' + str(model.with_name("train.py")) in said.out
    assert '"helper"' in said.out
    assert not has_run(model)
