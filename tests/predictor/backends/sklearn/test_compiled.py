"""Estimators that run as ONNX: the same answers, found again, and never instead of a check."""

import json
import logging
import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from cvserve import Predictor
from cvserve.errors import InvalidSetting, ModelLoadError, UntrustedModel
from cvserve.predictor.contract import LoadedModel, ModelVersionWarning
from support.command import cvserve, loaded_modules
from support.models import load_model

CONFIG = '[input]\nscale = 0.00392156862745098\nresize = "exact"\n'
MODELS = {
    "linear": lambda: make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
    "network": lambda: MLPClassifier((16,), solver="lbfgs", alpha=1, max_iter=5000, random_state=0),
    "svc": SVC,
    "linear-svc": LinearSVC,
    "forest": lambda: RandomForestClassifier(20, random_state=0),
    "bayes": lambda: GaussianNB(var_smoothing=0.1),  # needs the graph of doubles
}


class Note:
    """A type that a file may hold only when somebody allows it."""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with nothing in it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/cvserve"


@pytest.fixture
def saved(tmp_path: Path, cache: Path) -> Callable[..., Path]:
    """Writes an estimator and a `model.toml`."""

    def save(model: Any, config: str = CONFIG) -> Path:
        path = tmp_path / "m.skops"
        skops.io.dump(model, path)
        path.with_suffix(".toml").write_text(config)
        return path

    return save


@pytest.fixture(scope="session")
def pictures() -> list[NDArray[Any]]:
    return list(np.random.default_rng(5).integers(0, 256, (70, 8, 8), dtype=np.uint8))


def runs_as(model: LoadedModel) -> Any:
    return model.origins["runs as"][0]


@pytest.mark.parametrize("classes", [10, 2])
@pytest.mark.parametrize("name", sorted(MODELS))
def test_compiled_and_not_answer_alike_alone_and_in_any_batch(
    saved: Callable[..., Path],
    digits: tuple[NDArray[Any], NDArray[Any]],
    pictures: list[NDArray[Any]],
    name: str,
    classes: int,
) -> None:
    rows, labels = digits
    path = saved(MODELS[name]().fit(rows, labels if classes == 10 else labels > 4))
    known, made = (Predictor.load(path, compile=mode) for mode in ("never", "require"))
    found = Predictor.load(path)
    assert [runs_as(each.model) for each in (made, found)] == ["ONNX, compiled"] * 2
    assert "runs as" not in known.model.origins
    assert made.info == known.info
    assert (
        made.model.origins == found.model.origins == {**known.model.origins, "runs as": ("ONNX, compiled", "default")}
    )
    expected = known.predict_batch(pictures, top_k=10)
    for predictor in (made, found):
        alone = [predictor.predict(picture, top_k=10) for picture in pictures]
        for answers in (alone, predictor.predict_batch(pictures, top_k=10)):
            for answer, wanted in zip(answers, expected, strict=True):
                scores = {entry.label: entry.score for entry in answer.top}
                assert all(abs(scores[entry.label] - entry.score) <= 1.1e-5 for entry in wanted.top)
                assert answer.label == wanted.label or abs(wanted.top[0].score - wanted.top[1].score) < 2e-5


def test_the_config_may_ask_for_logits(
    saved: Callable[..., Path], digits: tuple[NDArray[Any], NDArray[Any]], logistic: Any, pictures: list[NDArray[Any]]
) -> None:
    path = saved(logistic, CONFIG + '[output]\nscores = "logits"\n')
    known, compiled = (Predictor.load(path, compile=mode) for mode in ("never", "require"))
    assert (known.scores, compiled.scores) == ("logits", "logits")
    for wanted, answer in zip(known.predict_batch(pictures), compiled.predict_batch(pictures), strict=True):
        assert abs(wanted.score - answer.score) < 1e-5


def test_what_would_answer_differently_is_not_used(
    saved: Callable[..., Path], digits: tuple[NDArray[Any], NDArray[Any]], caplog: pytest.LogCaptureFixture
) -> None:
    """This one computes in float32 and has small variances: its own rounding is what no graph repeats."""
    rows = digits[0].astype(np.float32)
    path = saved(GaussianNB(var_smoothing=1e-4).fit(rows, digits[1]))
    with caplog.at_level(logging.WARNING):
        model = load_model(path)
    assert type(model.backend).__name__ == "EstimatorBackend"
    (said,) = caplog.messages
    assert said.startswith("'m.skops' is run by scikit-learn and not as ONNX: GaussianNB and its graph give scores")
    assert runs_as(model).startswith("scikit-learn: GaussianNB and its graph give scores")
    with pytest.raises(ModelLoadError, match=r"cannot be compiled to ONNX: GaussianNB and its graph .* apart"):
        load_model(path, compile="require")


def test_what_cannot_be_converted_runs_and_is_not_tried_again(
    saved: Callable[..., Path], digits: tuple[NDArray[Any], NDArray[Any]], caplog: pytest.LogCaptureFixture
) -> None:
    path = saved(HistGradientBoostingClassifier(max_iter=2).fit(*digits))
    said = r"skl2onnx \S+ does not convert HistGradientBoostingClassifier"
    with pytest.raises(ModelLoadError, match=rf"cannot be compiled to ONNX: {said}; or drop --compile require"):
        load_model(path, compile="require")
    assert runs_as(load_model(path)).startswith("scikit-learn: skl2onnx")
    assert len(caplog.messages) == 1
    loaded = loaded_modules(f"from cvserve import Predictor; Predictor.load({str(path)!r})")
    assert "sklearn" in loaded
    assert not loaded & {"skl2onnx", "onnx", "onnxruntime"}


def test_never_looks_for_nothing(saved: Callable[..., Path], logistic: Any, cache: Path) -> None:
    load_model(saved(logistic), compile="never")
    assert not cache.exists()
    with pytest.raises(InvalidSetting, match="compile is 'always'; use one of auto, never, require"):
        load_model(saved(logistic), compile="always")


def test_what_is_found_needs_neither_scikit_learn_nor_the_compiler(saved: Callable[..., Path], logistic: Any) -> None:
    path = saved(logistic)
    load_model(path)
    loaded = loaded_modules(f"from cvserve import Predictor; Predictor.load({str(path)!r})")
    assert "onnxruntime" in loaded
    assert not {name.partition(".")[0] for name in loaded} & {"sklearn", "scipy", "skops", "skl2onnx", "onnx", "joblib"}


def test_a_pickle_needs_trust_whether_it_was_compiled_or_not(tmp_path: Path, cache: Path, logistic: Any) -> None:
    path = tmp_path / "m.pkl"
    path.write_bytes(pickle.dumps(logistic))
    with pytest.raises(UntrustedModel):
        load_model(path)
    assert runs_as(load_model(path, trust=True)) == "ONNX, compiled"
    assert len(list(cache.iterdir())) == 1
    with pytest.raises(UntrustedModel):
        load_model(path)


def test_a_type_that_was_allowed_once_is_asked_for_again(
    saved: Callable[..., Path], digits: tuple[NDArray[Any], NDArray[Any]]
) -> None:
    model = LogisticRegression(max_iter=1000).fit(*digits)
    model.note_ = Note()
    path, name = saved(model), f"{Note.__module__}.Note"
    assert runs_as(load_model(path, trust_types=[name])) == "ONNX, compiled"
    with pytest.raises(ModelLoadError, match=f"--trust-type {name}"):
        load_model(path)


def test_other_words_about_the_input_are_another_comparison(
    saved: Callable[..., Path], logistic: Any, cache: Path
) -> None:
    path = saved(logistic)
    for config, files in ((CONFIG, 1), (CONFIG, 1), ("[input]\nscale = 0.5\n", 2), (f'name = "x"\n{CONFIG}', 2)):
        path.with_suffix(".toml").write_text(config)
        load_model(path)
        assert len(list(cache.iterdir())) == files


def cut_off(path: Path, other: bytes) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def empty(path: Path, other: bytes) -> None:
    path.write_bytes(b"")


def of_another_model(path: Path, other: bytes) -> None:
    """The graph of another model, behind the hash of the right one."""
    head = path.read_bytes().partition(b"\n")[0]
    path.write_bytes(head + b"\n" + other.partition(b"\n")[2])


def open_to_all(path: Path, other: bytes) -> None:
    path.write_bytes(other)
    path.chmod(0o666)


@pytest.mark.parametrize("harm", [cut_off, empty, of_another_model, open_to_all])
def test_a_broken_cache_is_made_again_and_never_believed(
    saved: Callable[..., Path],
    digits: tuple[NDArray[Any], NDArray[Any]],
    logistic: Any,
    pictures: list[NDArray[Any]],
    cache: Path,
    harm: Callable[..., Any],
) -> None:
    load_model(saved(LogisticRegression(max_iter=1000).fit(digits[0], 9 - digits[1])))
    (wrong,) = cache.iterdir()
    other = wrong.read_bytes()
    path = saved(logistic)
    whole = Predictor.load(path)
    (kept,) = set(cache.iterdir()) - {wrong}
    before = kept.read_bytes()
    harm(kept, other)
    again = Predictor.load(path)
    assert [answer.top for answer in again.predict_batch(pictures)] == [
        answer.top for answer in whole.predict_batch(pictures)
    ]
    assert kept.read_bytes() == before
    assert kept.stat().st_mode & 0o777 == 0o600


def test_an_entry_whose_graph_does_not_run_is_made_again(
    saved: Callable[..., Path], logistic: Any, cache: Path
) -> None:
    """Whole by its hash: written by a library that has changed under the same version."""
    from cvserve.predictor.backends.sklearn.cache import read_cached, write_cached

    path = saved(logistic)
    load_model(path)
    (kept,) = cache.iterdir()
    head, _, graph = (read_cached(kept.name) or b"").partition(b"\n")
    assert json.loads(head)["facts"]["features"] == 64
    write_cached(kept.name, head + b"\n" + graph[: len(graph) // 2])
    assert runs_as(load_model(path)) == "ONNX, compiled"
    assert (read_cached(kept.name) or b"").endswith(graph)


def test_without_a_cache_it_is_compiled_each_time(saved: Callable[..., Path], logistic: Any, cache: Path) -> None:
    cache.parent.write_text("no folder can be here")
    assert runs_as(load_model(saved(logistic), compile="require")) == "ONNX, compiled"


def test_another_version_of_scikit_learn_is_told_each_time(
    saved: Callable[..., Path], logistic: Any, tmp_path: Path
) -> None:
    import sklearn

    path = tmp_path / "m.pkl"
    now = sklearn.__version__.encode()
    old = b"9" * len(now)
    path.write_bytes(pickle.dumps(logistic).replace(now, old))
    for _ in range(2):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert runs_as(load_model(path, trust=True)) == "ONNX, compiled"
        assert [entry.category for entry in caught] == [ModelVersionWarning]
        assert old.decode() in str(caught[0].message)


@pytest.mark.parametrize("package", ["onnxruntime", "skl2onnx"])
def test_without_the_extra_the_estimator_runs_and_nothing_is_said(
    saved: Callable[..., Path], logistic: Any, package: str
) -> None:
    path = saved(logistic)
    code = f"import sys; sys.modules[{package!r}] = None\nfrom cvserve import Predictor\n"

    def run(mode: str) -> subprocess.CompletedProcess[str]:
        line = f"print(Predictor.load({str(path)!r}, compile={mode!r}).model.origins['runs as'][0])"
        return subprocess.run([sys.executable, "-c", code + line], capture_output=True, text=True, check=False)

    ended = run("auto")
    assert (ended.stdout, ended.stderr) == ("scikit-learn; with pip install 'cvserve[onnx]' it may run as ONNX\n", "")
    refused = run("require").stderr.splitlines()[-1]
    assert f"cannot be compiled to ONNX: {package} cannot be imported: run pip install 'cvserve[onnx]'" in refused


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("onnxruntime", "'m.skops' needs ONNX Runtime, which cannot be imported here"),
        ("onnx", "'m.skops' needs the package onnx, which cannot be imported here"),
        ("skl2onnx", "'m.skops' needs skl2onnx, which cannot be imported here"),
    ],
)
def test_a_library_that_is_there_and_broken_is_told_with_the_file(
    saved: Callable[..., Path], logistic: Any, tmp_path: Path, module: str, words: str
) -> None:
    path = saved(logistic)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / f"{module}.py").write_text("raise ImportError('a library of the system')")
    done = cvserve("model", "inspect", str(path), PYTHONPATH=str(tmp_path / "broken"))
    assert (done.code, done.out) == (5, "")
    assert done.err.startswith(f"cvserve: {words}")
    assert "Traceback" not in done.err
    assert "run: pip install 'cvserve[onnx]'" in done.err
