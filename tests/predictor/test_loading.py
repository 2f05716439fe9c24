import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import skops.io
from numpy.typing import NDArray
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from cvserve import Predictor
from cvserve.errors import CvserveError, InvalidSetting, ModelLoadError
from cvserve.predictor.contract import LoadedModel
from cvserve.predictor.models.input_spec import InputSpec
from support.models import load_model


@pytest.fixture
def say(skops_file: Path) -> Callable[[str], LoadedModel]:
    """Write `model.toml` beside the model and load it."""

    def write(text: str) -> LoadedModel:
        skops_file.with_suffix(".toml").write_text(text)
        return load_model(skops_file)

    return write


@pytest.fixture
def fitted(tmp_path: Path) -> Callable[..., Path]:
    """A small model for pictures of `features` values, saved."""

    def fit(features: int, classes: tuple[int, ...] = (0, 1)) -> Path:
        rows = np.random.default_rng(1).random((len(classes) * 3, features))
        path = tmp_path / f"f{features}.skops"
        skops.io.dump(KNeighborsClassifier(1, algorithm="brute").fit(rows, np.repeat(classes, 3)), path)
        return path

    return fit


def input_of(model: LoadedModel) -> InputSpec:
    assert isinstance(model.preparation, InputSpec)
    return model.preparation


def test_without_a_path_it_is_the_built_in_model() -> None:
    model = load_model(None)
    assert model.info.format == "builtin"
    assert model.labels == tuple("0123456789")
    assert model.guessed == ()


def test_a_hash_holds_for_the_built_in_model_as_well() -> None:
    sha256 = load_model(None).info.sha256
    assert load_model(None, sha256=sha256.upper()).info.sha256 == sha256
    with pytest.raises(ModelLoadError) as caught:
        load_model(None, sha256="0" * 64)
    assert str(caught.value).startswith(f"The built-in model has the SHA-256 {sha256}, not 000")
    with pytest.raises(InvalidSetting, match="give the 64 hex digits"):
        load_model(None, sha256="abc")


def test_a_model_knows_its_name_its_hash_its_input_and_its_labels(skops_file: Path) -> None:
    model = load_model(str(skops_file))
    assert (model.info.name, model.info.format) == ("digits", "sklearn")
    assert re.fullmatch("[0-9a-f]{64}", model.info.sha256)
    assert model.labels == tuple("0123456789")
    assert model.scores == "probabilities"
    assert model.origins["estimator"] == ("LogisticRegression", "file")
    assert model.origins["input.size"] == ((8, 8), "guessed")  # 16 × 4 would be as many
    assert model.origins["input.mode"] == ("L", "file")
    assert model.origins["input.layout"] == ("flat", "file")
    assert model.origins["input.scale"] == (1 / 255, "guessed")
    assert model.origins["input.dtype"] == ("float32", "default")
    assert model.origins["name"] == ("digits", "default")
    assert model.guessed == ("size", "resize", "resample", "invert", "scale", "mean", "std")


@pytest.mark.parametrize(
    ("features", "size", "mode"),
    [(64, (8, 8), "L"), (784, (28, 28), "L"), (3072, (32, 32), "RGB"), (48, (4, 4), "RGB"), (16, (4, 4), "L")],
)
def test_size_and_mode_are_read_from_the_number_of_features(
    fitted: Callable[..., Path], features: int, size: tuple[int, int], mode: str
) -> None:
    predictor = Predictor.load(fitted(features))
    spec = input_of(predictor.model)
    assert (spec.size, spec.mode) == (size, mode)
    assert predictor.predict(np.zeros((50, 40, 3), np.uint8)).label in (predictor.labels or ())


@pytest.mark.parametrize("features", [4, 3, 12, 100 + 1, 2])
def test_features_that_are_no_square_picture_need_a_size(fitted: Callable[..., Path], features: int) -> None:
    path = fitted(features)
    with pytest.raises(ModelLoadError) as caught:
        load_model(path)
    for word in (f"f{features}.skops", f"takes {features} values", f"f{features}.toml", "size = [width, height]"):
        assert word in str(caught.value)
    path.with_suffix(".toml").write_text(f'[input]\nsize = [1, {features}]\nmode = "L"')
    model = load_model(path)
    assert model.preparation.size == (1, features)
    assert model.origins["input.size"] == ((1, features), "model.toml")


def test_one_of_size_and_mode_is_derived_from_the_other(fitted: Callable[..., Path]) -> None:
    path = fitted(192)
    path.with_suffix(".toml").write_text("[input]\nsize = [16, 4]")
    assert input_of(load_model(path)).mode == "RGB"
    path.with_suffix(".toml").write_text("[input]\nsize = [16, 12]")
    model = load_model(path)
    assert (input_of(model).mode, model.origins["input.mode"][1]) == ("L", "file")
    path.with_suffix(".toml").write_text('[input]\nmode = "BGR"')
    assert load_model(path).preparation.size == (8, 8)
    path.with_suffix(".toml").write_text('[input]\nmode = "L"')
    with pytest.raises(ModelLoadError, match='192 values, which make no square picture of mode "L"'):
        load_model(path)


def test_the_config_overrides_and_its_values_are_no_guess(say: Callable[[str], LoadedModel]) -> None:
    model = say(
        'name = "my digits"\nlabels = ["a","b","c","d","e","f","g","h","i","j"]\n[input]\nscale = 0.0625\n'
        'resize = "pad"\ninvert = true\nmean = 0\nstd = 1\nsize = [8, 8]\nresample = "bilinear"'
    )
    assert model.info.name == "my digits"
    assert model.labels == tuple("abcdefghij")
    assert model.guessed == ()
    assert input_of(model).scale == 0.0625
    assert model.origins["labels"] == (list("abcdefghij"), "model.toml")
    assert model.origins["input.invert"] == (True, "model.toml")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[input]\nsize = [28, 28]", ["64 values", "784 (grey) or 2352 (colour)", "28 by 28"]),
        ('[input]\nsize = [8, 8]\nmode = "RGB"', ["64 values", "192", "8 by 8", "mode RGB"]),
        ('[input]\nlayout = "NCHW"', ["layout = 'NCHW'", "'flat'"]),
        ("[input]\nmean = [1, 2, 3]", ["mean", "3 numbers", "1 channel"]),
        ("[input]\nstd = [1, 2, 3]", ["std", "3 numbers", "1 channel"]),
        ('labels = ["a", "b"]', ["2 labels", "10 classes"]),
        ('[input]\nmode = "rgb"', ["input.mode = 'rgb'"]),
    ],
)
def test_a_contradiction_names_both(say: Callable[[str], LoadedModel], text: str, words: list[str]) -> None:
    with pytest.raises(ModelLoadError) as caught:
        say(text)
    for word in [*words, "digits.toml"]:
        assert word in str(caught.value)


def test_labels_beside_the_model_must_be_as_many_as_its_classes(skops_file: Path) -> None:
    beside = skops_file.with_name("labels.txt")
    beside.write_text("\n".join("abcdefghij"))
    assert load_model(skops_file).origins["labels"] == (list("abcdefghij"), "labels.txt")
    beside.write_text("a\nb\nc\n")
    with pytest.raises(ModelLoadError, match=r"labels.txt has 3 labels, but 'digits.skops' knows 10 classes"):
        load_model(skops_file)


def test_another_config(skops_file: Path, tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text('name = "other"')
    assert load_model(skops_file, config=tmp_path / "other.toml").info.name == "other"


def test_a_right_scale_gives_the_estimators_own_scores(
    skops_file: Path, digits: tuple[NDArray[Any], NDArray[Any]], logistic: Any
) -> None:
    """What the whole path answers is what the estimator says of the same pixels."""
    skops_file.with_suffix(".toml").write_text('[input]\nscale = 0.0625\nresize = "exact"')
    predictor = Predictor.load(skops_file)
    for row in digits[0][:20]:
        pixels = (row * 16).astype(np.uint8).reshape(8, 8)
        answer = predictor.predict(pixels, top_k=10)
        expected = logistic.predict_proba([row])[0]
        assert answer.result == int(expected.argmax())
        got = {entry.index: entry.score for entry in answer.top}
        assert np.allclose([got[index] for index in range(10)], expected, atol=1e-5)


def test_a_bad_hash_is_a_bad_argument(skops_file: Path) -> None:
    with pytest.raises(InvalidSetting):
        load_model(skops_file, sha256="12345678")


def test_a_config_with_a_fault_is_told_before_a_pickle_runs(tmp_path: Path, logistic: Any) -> None:
    path = tmp_path / "m.pkl"
    path.write_bytes(pickle.dumps(logistic))
    path.with_suffix(".toml").write_text("nmae = 1")
    with pytest.raises(ModelLoadError, match="nmae"):
        load_model(path, trust=True)


def test_files_cut_short_are_our_errors_and_nothing_else(tmp_path: Path, skops_file: Path, logistic: Any) -> None:
    joblib.dump(logistic, tmp_path / "whole.joblib")
    joblib.dump(logistic, tmp_path / "packed.joblib", compress=3)
    for whole in (skops_file, tmp_path / "whole.joblib", tmp_path / "packed.joblib"):
        data = whole.read_bytes()
        cut = tmp_path / f"cut{whole.suffix}"
        for end in [*range(1, 40), *range(40, len(data), len(data) // 40)]:
            cut.write_bytes(data[:end])
            with pytest.raises(CvserveError) as caught:
                load_model(cut, trust=True)
            assert caught.value.exit_code == 5
            assert "Traceback" not in str(caught.value)


def test_flipped_bytes_never_give_a_foreign_error(tmp_path: Path, skops_file: Path) -> None:
    data = bytearray(skops_file.read_bytes())
    random = np.random.default_rng(7)
    broken = tmp_path / "broken.skops"
    loaded = 0
    for _ in range(150):
        copy = bytearray(data)
        for position in random.integers(0, len(copy), 3):
            copy[position] ^= int(random.integers(1, 256))
        broken.write_bytes(copy)
        try:
            load_model(broken)
            loaded += 1
        except ModelLoadError:
            pass
    assert loaded < 150


def test_importing_the_loader_imports_no_format() -> None:
    code = (
        "import sys, cvserve.predictor.loading; "
        "print([name for name in ('sklearn', 'joblib', 'skops', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_built_in_model_imports_no_format() -> None:
    code = (
        "import sys; from cvserve import Predictor; Predictor.load(); "
        "print([name for name in ('sklearn', 'joblib', 'skops', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_the_model_sees_can_be_shown(skops_file: Path, square: NDArray[Any]) -> None:
    skops_file.with_suffix(".toml").write_text("[input]\nscale = 0.5\nmean = 3\nstd = 2")
    predictor = Predictor.load(skops_file)
    array = np.asarray(predictor.preprocess(Image.fromarray(square)))
    assert np.array_equal(np.asarray(predictor.model.preparation.render(array)), square)


def test_a_model_that_is_trained_on_nothing_is_told_apart(tmp_path: Path) -> None:
    skops.io.dump(LogisticRegression(), tmp_path / "m.skops")
    with pytest.raises(ModelLoadError, match="is not trained; call fit"):
        load_model(tmp_path / "m.skops")
