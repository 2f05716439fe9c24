"""What answers differently has another version, and a file that needs nothing beside it has its own hash."""

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cvserve import Predictor
from cvserve.predictor.models.files.file import read_model_file
from support.models import load_model
from support.own_models import BRIGHTNESS, PLAIN, SIZE


@pytest.fixture
def own(home: Path) -> Iterator[Path]:
    """A Python file with two classes that import a file beside it."""
    path = home / "own_model.py"
    path.write_text(PLAIN + PLAIN.replace("class Plain", "class Other") + "import beside_own_model\n")
    (home / "beside_own_model.py").write_text("MIDDLE = 128\n")
    yield path
    for name in ("own_model", "beside_own_model"):
        sys.modules.pop(name, None)


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_alone_has_its_own_hash(skops_file: Path) -> None:
    assert load_model(skops_file).info.sha256 == sha256_of(skops_file)
    skops_file.with_suffix(".toml").write_text('name = "another"\n')  # answers as before
    assert load_model(skops_file).info.sha256 == sha256_of(skops_file)


def test_each_value_of_model_toml_counts(skops_file: Path) -> None:
    texts = [
        "[input]\nscale = 1\n",
        "[input]\nscale = 0.0078\n",
        "[input]\nscale = 0.0078\ninvert = true\n",
        "[input]\nscale = 0.0078\nmean = 0.5\n",
        "[input]\nscale = 1\n[output]\nscores = 'probabilities'\n",
        f"labels = {[str(label) for label in range(10)]}\n",
        f"labels = {[str(label) for label in range(9)] + ['nine']}\n",
    ]
    versions = {load_model(skops_file).info.version}
    for text in texts:
        skops_file.with_suffix(".toml").write_text(text)
        versions.add(load_model(skops_file).info.version)
    assert len(versions) == len(texts) + 1


def test_how_it_is_written_does_not_count(skops_file: Path) -> None:
    toml = skops_file.with_suffix(".toml")
    toml.write_text("[input]\nscale = 1\n")
    sha256 = load_model(skops_file).info.sha256
    toml.write_text("# of paper\n[input]\nscale = 1.0\nresize = 'stretch'\nsize = [8, 8]\n")
    assert load_model(skops_file).info.sha256 == sha256
    other = skops_file.with_name("elsewhere.toml")
    toml.rename(other)
    assert load_model(skops_file, config=other).info.sha256 == sha256


def test_labels_txt_counts(skops_file: Path) -> None:
    skops_file.with_name("labels.txt").write_text("\n".join("abcdefghij"))
    letters = load_model(skops_file).info.sha256
    skops_file.with_name("labels.txt").write_text("\n".join("abcdefghik"))
    assert len({letters, load_model(skops_file).info.sha256, sha256_of(skops_file)}) == 3


def test_class_arguments_weights_and_imports_count(own: Path) -> None:
    toml, weights = own.with_suffix(".toml"), own.with_name("best.bin")
    toml.write_text(SIZE)
    versions = [load_model(f"{own}:{name}").info.version for name in ("Plain", "Other")]
    for text in ("one", "two"):
        weights.write_text(text)
        versions.append(load_model(f"{own}:Plain", weights=weights).info.version)
    own.with_name("beside_own_model.py").write_text("MIDDLE = 64\n")
    versions.append(load_model(f"{own}:Plain").info.version)
    own.write_text(own.read_text() + "\n\ndef make(factor=1):\n    return Plain()\n")
    versions.append(load_model(f"{own}:make").info.version)
    toml.write_text(SIZE + "[model]\nargs = { factor = 2 }\n")
    versions.append(load_model(f"{own}:make").info.version)
    assert len(set(versions)) == len(versions)


def test_trust_is_still_in_the_file_and_what_it_imports(own: Path) -> None:
    own.with_suffix(".toml").write_text(SIZE)
    assert load_model(f"{own}:Plain", sha256=sha256_of(own)).info.sha256 != sha256_of(own)
    assert read_model_file(own).code_sha256 == sha256_of(own)


@pytest.mark.parametrize("toml", [None, 'labels = ["night", "day"]\n[output]\nscores = "probabilities"\n'])
def test_a_class_used_by_itself_has_the_version_of_the_loaded_one(home: Path, toml: str | None) -> None:
    path = home / "own_model.py"
    path.write_text(BRIGHTNESS + "import beside_own_model\n")
    path.with_name("beside_own_model.py").write_text("MIDDLE = 128\n")
    if toml is not None:
        path.with_suffix(".toml").write_text(toml)
    try:
        loaded = Predictor.load(f"{path}:Brightness")
        assert sys.modules["own_model"].Brightness().info == loaded.info
    finally:
        for name in ("own_model", "beside_own_model"):
            sys.modules.pop(name, None)


def test_a_transform_counts_also_for_a_class_used_by_itself(home: Path) -> None:
    path = home / "own_model.py"
    start, end = BRIGHTNESS.index("    def preprocess"), BRIGHTNESS.index("    def infer")
    path.write_text(BRIGHTNESS[:start] + BRIGHTNESS[end:])
    path.with_suffix(".toml").write_text('[input]\ntransform = "steps_of_ours.py:prepare"\n')
    steps = path.with_name("steps_of_ours.py")
    versions = set()
    for factor in ("1", "2"):
        steps.write_text(f"import numpy as np\n\n\ndef prepare(image):\n    return np.ones(1, np.float32) * {factor}\n")
        try:
            loaded = Predictor.load(f"{path}:Brightness")
            assert sys.modules["own_model"].Brightness().info == loaded.info
            versions.add(loaded.info.version)
        finally:
            for name in ("own_model", "steps_of_ours"):
                sys.modules.pop(name, None)
    assert len(versions) == 2
