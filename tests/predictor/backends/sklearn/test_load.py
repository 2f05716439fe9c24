import io
import json
import os
import pickle
import stat
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import sklearn
import skops.io
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    BaggingClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.feature_selection import SelectKBest, VarianceThreshold
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from cvserve import Predictor
from cvserve.errors import ModelLoadError
from cvserve.predictor.backends.sklearn.backend import EstimatorBackend
from cvserve.predictor.backends.sklearn.parts import parts
from cvserve.predictor.contract import ModelVersionWarning
from cvserve.predictor.models.formats import zip_limits
from support.models import load_model

ESTIMATORS = {
    "logistic": lambda: LogisticRegression(max_iter=1000),
    "pipeline": lambda: make_pipeline(StandardScaler(), PCA(20), SVC()),
    "svc": SVC,
    "linear-svc": LinearSVC,
    "ridge": RidgeClassifier,
    "bayes": lambda: GaussianNB(var_smoothing=0.1),
    "neighbours": lambda: KNeighborsClassifier(3),
    "tree": DecisionTreeClassifier,
    "forest": lambda: RandomForestClassifier(8, n_jobs=2),
    "boosting": lambda: GradientBoostingClassifier(n_estimators=2, max_depth=2),
    "histogram": lambda: HistGradientBoostingClassifier(max_iter=2),
    "bagging": lambda: BaggingClassifier(n_estimators=2, max_features=0.5),
    "voting": lambda: VotingClassifier([("a", DecisionTreeClassifier()), ("b", GaussianNB(var_smoothing=0.1))]),
    "calibrated": lambda: CalibratedClassifierCV(GaussianNB(var_smoothing=0.1), cv=2),
    "search": lambda: GridSearchCV(SVC(), {"C": [1, 2]}, cv=2),
    "network": lambda: MLPClassifier((16,), solver="lbfgs", max_iter=5000),
    "select": lambda: make_pipeline(VarianceThreshold(), SelectKBest(k=20), DecisionTreeClassifier()),
}


@pytest.fixture(scope="session")
def fitted(digits: tuple[NDArray[Any], NDArray[Any]]) -> dict[str, Any]:
    return {name: make().fit(*digits) for name, make in ESTIMATORS.items()}


def save(model: Any, path: Path) -> Path:
    if path.suffix == ".skops":
        skops.io.dump(model, path)
    elif path.suffix == ".joblib":
        joblib.dump(model, path)
    else:
        path.write_bytes(pickle.dumps(model))
    return path


@pytest.mark.parametrize("suffix", [".skops", ".joblib", ".pkl"])
@pytest.mark.parametrize("name", sorted(ESTIMATORS))
def test_every_estimator_answers_as_it_does_itself(
    tmp_path: Path, fitted: dict[str, Any], digits: tuple[NDArray[Any], NDArray[Any]], name: str, suffix: str
) -> None:
    path = save(fitted[name], tmp_path / f"m{suffix}")
    path.with_suffix(".toml").write_text('[input]\nscale = 0.0625\nresize = "exact"')
    predictor = Predictor.load(path, trust=suffix != ".skops")
    rows = digits[0][:20]
    pictures = [(row * 16).astype(np.uint8).reshape(8, 8) for row in rows]
    answers = predictor.predict_batch(pictures, top_k=10)
    assert [answer.label for answer in answers] == [str(value) for value in fitted[name].predict(rows)]
    if hasattr(fitted[name], "predict_proba"):
        assert predictor.scores == "probabilities"
    assert all(abs(sum(entry.score for entry in answer.top) - 1) < 1e-4 for answer in answers)


@pytest.mark.parametrize(
    ("model", "scores"),
    [
        (LogisticRegression(max_iter=1000), "probabilities"),
        (SVC(), "logits"),
        (SVC(decision_function_shape="ovo"), "labels"),
        (VotingClassifier([("a", DecisionTreeClassifier())]), "labels"),
    ],
)
def test_the_best_method_that_there_is_gives_the_scores(
    tmp_path: Path, digits: tuple[NDArray[Any], NDArray[Any]], model: Any, scores: str
) -> None:
    loaded = load_model(save(model.fit(*digits), tmp_path / "m.skops"))
    assert loaded.scores == scores
    assert loaded.origins["output.scores"] == (scores, "file")
    answer = Predictor.load(tmp_path / "m.skops").predict(np.full((8, 8), 99, np.uint8))
    assert answer.score == 1 if scores == "labels" else 0 < answer.score <= 1


def test_the_config_may_choose_among_the_methods_that_there_are(
    tmp_path: Path, digits: tuple[NDArray[Any], NDArray[Any]], logistic: Any
) -> None:
    path = save(logistic, tmp_path / "m.skops")
    for scores in ("probabilities", "logits", "labels"):
        path.with_suffix(".toml").write_text(f'[output]\nscores = "{scores}"')
        model = load_model(path)
        assert model.scores == scores
        assert model.origins["output.scores"] == (scores, "model.toml")
    save(GaussianNB(var_smoothing=0.1).fit(*digits), path)
    path.with_suffix(".toml").write_text('[output]\nscores = "logits"')
    with pytest.raises(ModelLoadError, match=r'no scores = "logits" .* it has "probabilities", "labels"'):
        load_model(path)


def test_the_soft_max_of_two_columns_is_the_sigmoid_of_one_number(
    tmp_path: Path, digits: tuple[NDArray[Any], NDArray[Any]]
) -> None:
    rows, classes = digits[0], digits[1] > 4
    model = SVC().fit(rows, classes)
    path = save(model, tmp_path / "m.skops")
    path.with_suffix(".toml").write_text('[input]\nscale = 0.0625\nresize = "exact"')
    predictor = Predictor.load(path)
    assert predictor.labels == ("False", "True")
    for row in rows[:10]:
        answer = predictor.predict((row * 16).astype(np.uint8).reshape(8, 8), top_k=2)
        second = 1 / (1 + np.exp(-model.decision_function([row])[0]))
        assert {entry.index: entry.score for entry in answer.top}[1] == pytest.approx(second, abs=1e-5)
        assert answer.result == int(model.predict([row])[0])


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["cat", "dog", "fish"], ("cat", "dog", "fish")),
        ([3, 5, 7], ("3", "5", "7")),
        ([-1, 1, 10], ("-1", "1", "10")),
        ([1.0, 2.0, 3.0], ("1", "2", "3")),
        (["7"], ("7",)),
        ([4], ("4",)),
        (["a\x1b[2Jb", "ü"], ("a\\x1b[2Jb", "ü")),
    ],
)
def test_classes_of_any_kind_become_labels_and_indices_from_zero(
    tmp_path: Path, digits: tuple[NDArray[Any], NDArray[Any]], names: list[str | float], labels: tuple[str, ...]
) -> None:
    rows = digits[0]
    classes = np.array(names)[np.arange(len(rows)) % len(names)]
    path = save(DecisionTreeClassifier().fit(rows, classes), tmp_path / "m.skops")
    path.with_suffix(".toml").write_text('[input]\nscale = 0.0625\nresize = "exact"')
    predictor = Predictor.load(path)
    assert predictor.labels == labels
    for index in range(6):
        answer = predictor.predict((rows[index] * 16).astype(np.uint8).reshape(8, 8))
        assert (answer.label, answer.result) == (labels[index % len(names)], index % len(names))


def test_all_threads_but_one_are_taken_away(tmp_path: Path, digits: tuple[NDArray[Any], NDArray[Any]]) -> None:
    voting = VotingClassifier([("a", RandomForestClassifier(2, n_jobs=4))])
    model = make_pipeline(StandardScaler(), voting).fit(*digits)
    voting.n_jobs = -1
    loaded = load_model(save(model, tmp_path / "m.joblib"), trust=True)
    assert isinstance(loaded.backend, EstimatorBackend)
    jobs = [part.n_jobs for part in parts(loaded.backend.estimator) if hasattr(part, "n_jobs")]
    assert len(jobs) >= 2
    assert set(jobs) == {1}


class OwnModel(BaseEstimator, ClassifierMixin):
    """A user's own class: takes pictures as they are, does not say how large."""

    classes_ = np.array(["dark", "light"])

    def predict(self, batch: NDArray[Any]) -> Any:
        return self.classes_[(batch.mean(axis=(1, 2, 3)) > 0.5).astype(int)]


def test_a_class_of_ones_own_may_take_another_layout(tmp_path: Path) -> None:
    path = save(OwnModel(), tmp_path / "own.pkl")
    with pytest.raises(ModelLoadError, match=r"does not say how large its pictures are; write into own\.toml"):
        load_model(path, trust=True)
    path.with_suffix(".toml").write_text('[input]\nsize = [5, 4]\nlayout = "NHWC"')
    predictor = Predictor.load(path, trust=True)
    assert predictor.predict(np.full((9, 9), 250, np.uint8)).label == "light"
    assert sorted(predictor.model.guessed) == ["mean", "mode", "resample", "resize", "scale", "std"]
    path.with_suffix(".toml").write_text("[input]\nsize = [5, 4]")
    with pytest.raises(
        ModelLoadError,
        match=r"'own.pkl' fails on a grey picture .* float32 \[1, 60\]: correct \[input\], or save the OwnModel whole",
    ):
        load_model(path, trust=True)


@pytest.mark.parametrize(
    ("thing", "words"),
    [
        ({"model": 1}, "holds a dict, not a model"),
        (np.arange(5), "holds a ndarray, not a model"),
        (LinearRegression().fit([[0], [1]], [0, 1]), "holds a LinearRegression, a regressor"),
        (StandardScaler().fit([[0], [1]]), "holds a StandardScaler, not a model"),
        (KMeans(1, n_init=1).fit([[0], [1]]), "holds a KMeans, not a classifier"),
        (Pipeline([("a", StandardScaler())]), "holds a Pipeline, not a"),
        (LogisticRegression(), "'m.pkl' holds a LogisticRegression that is not trained"),
        (make_pipeline(StandardScaler(), SVC()), "'m.pkl' holds a Pipeline that is not trained"),
        (MultiOutputClassifier(GaussianNB()).fit([[0], [1]], [[0, 1], [1, 0]]), "answers 2 questions at once"),
        (LogisticRegression, "not a model"),
        (None, "holds a NoneType, not a model"),
    ],
)
def test_what_is_no_classifier_is_named(tmp_path: Path, thing: Any, words: str) -> None:
    with pytest.raises(ModelLoadError, match=words):
        load_model(save(thing, tmp_path / "m.pkl"), trust=True)


@pytest.mark.parametrize("suffix", [".skops", ".pkl"])
@pytest.mark.parametrize(
    ("model", "lost"), [(SVC, "kernel"), (KNeighborsClassifier, "metric"), (SVC, "support_vectors_")]
)
def test_an_estimator_that_lost_an_attribute_is_an_error_of_ours(
    tmp_path: Path, digits: tuple[NDArray[Any], NDArray[Any]], model: type[Any], lost: str, suffix: str
) -> None:
    estimator = model().fit(*digits)
    state = vars(estimator)
    del state[lost]
    with pytest.raises(ModelLoadError, match=r"is not whole|fails on a grey picture"):
        load_model(save(estimator, tmp_path / f"m{suffix}"), trust=True)


def test_one_warning_names_both_versions(tmp_path: Path, digits: tuple[NDArray[Any], NDArray[Any]]) -> None:
    model = RandomForestClassifier(5).fit(*digits)
    data = pickle.dumps(model)
    now = sklearn.__version__.encode()
    old = b"0.9" + b"0" * (len(now) - 3)
    path = tmp_path / "m.pkl"
    path.write_bytes(data.replace(now, old))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        load_model(path, trust=True)
    assert [entry.category for entry in caught] == [ModelVersionWarning]
    assert old.decode() in str(caught[0].message)
    assert now.decode() in str(caught[0].message)


def test_a_pickle_of_a_module_that_is_missing_names_it(tmp_path: Path) -> None:
    (tmp_path / "m.pkl").write_bytes(b"cno_such_module\nThing\n.")
    with pytest.raises(ModelLoadError, match="needs the module 'no_such_module', which is not here"):
        load_model(tmp_path / "m.pkl", trust=True)
    (tmp_path / "m.pkl").write_bytes(b"c__main__\nMyModel\n.")
    with pytest.raises(ModelLoadError, match=r"needs __main__.MyModel, written in a notebook"):
        load_model(tmp_path / "m.pkl", trust=True)


def test_unknown_types_of_a_skops_file_are_listed_with_the_way_out(
    tmp_path: Path, digits: tuple[NDArray[Any], NDArray[Any]]
) -> None:
    model = make_pipeline(FunctionTransformer(square_root), LogisticRegression())
    path = save(model.fit(*digits), tmp_path / "m.skops")
    name = f"{square_root.__module__}.square_root"
    with pytest.raises(ModelLoadError, match=f"{name}.*--trust-type {name}") as caught:
        load_model(path)
    assert caught.value.exit_code == 5
    assert load_model(path, trust_types=[name]).labels == tuple("0123456789")


def square_root(values: NDArray[Any]) -> Any:
    return np.sqrt(values)


def test_a_skops_file_that_names_a_function_of_the_system_does_not_get_it(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    path = save(FunctionTransformer(os.system, kw_args={"command": f"touch {canary}"}), tmp_path / "m.skops")
    with pytest.raises(ModelLoadError, match=r"posix\.system|nt\.system"):
        load_model(path, trust=True)
    assert not canary.exists()


def rewritten(data: bytes, change: Callable[[str, bytes], str | bytes | None]) -> bytes:
    """A skops file with `change(name, content)` applied to its members; None drops one."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(buffer, "w") as target:
        for name in source.namelist():
            content = change(name, source.read(name))
            if content is not None:
                target.writestr(name, content)
    return buffer.getvalue()


def npy(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def set_first(field: str, value: Any) -> Callable[[str, bytes], bytes]:
    """A change for `rewritten`: this value in the first row of every array that has the field."""

    def change(_: str, content: bytes) -> bytes:
        if content[:6] != b"\x93NUMPY":
            return content
        array = np.load(io.BytesIO(content))
        if array.dtype.names and field in array.dtype.names:
            array[field][0] = value
        return npy(array)

    return change


FORGERIES = {
    "feature-outside": ("feature", 10**9),
    "feature-negative": ("feature", -5),
    "child-outside": ("left_child", 10**9),
    "child-in-a-circle": ("right_child", 0),
}


@pytest.mark.parametrize("forgery", sorted(FORGERIES))
@pytest.mark.parametrize("model", [DecisionTreeClassifier(), RandomForestClassifier(2)])
def test_a_forged_tree_is_refused_before_it_is_followed(
    tmp_path: Path, digits: tuple[NDArray[Any], NDArray[Any]], model: Any, forgery: str
) -> None:
    field, value = FORGERIES[forgery]
    path = tmp_path / "m.skops"
    path.write_bytes(rewritten(skops.io.dumps(model.fit(*digits)), set_first(field, value)))
    with pytest.raises(ModelLoadError, match="points outside of itself"):
        load_model(path)


@pytest.mark.parametrize(("field", "value"), [("feature_idx", 10**6), ("left", 10**6), ("is_categorical", 1)])
def test_a_forged_histogram_tree_is_refused(
    tmp_path: Path, digits: tuple[NDArray[Any], NDArray[Any]], field: str, value: int
) -> None:
    model = HistGradientBoostingClassifier(max_iter=1).fit(*digits)
    path = tmp_path / "m.skops"
    path.write_bytes(rewritten(skops.io.dumps(model), set_first(field, value)))
    with pytest.raises(ModelLoadError, match="points outside of itself"):
        load_model(path)


@pytest.mark.parametrize(
    ("make", "key", "value"),
    [
        (DecisionTreeClassifier, "node_count", -1),
        (lambda: RandomForestClassifier(2), "n_features_in_", 640),
        (lambda: GradientBoostingClassifier(n_estimators=1, max_depth=1), "n_trees_per_iteration_", 1),
    ],
)
def test_forged_sizes_of_a_tree_are_refused(
    tmp_path: Path,
    digits: tuple[NDArray[Any], NDArray[Any]],
    make: type[Any] | Callable[..., Any],
    key: str,
    value: int,
) -> None:
    def change(thing: object) -> None:
        if isinstance(thing, dict):
            for name, inner in thing.items():
                if name == key and isinstance(inner, dict) and "content" in inner:
                    inner["content"] = json.dumps(value)
                    inner["__id__"] = None
                change(inner)
        elif isinstance(thing, list):
            for inner in thing:
                change(inner)

    def forge(name: str, content: bytes) -> str | bytes:
        if name != "schema.json":
            return content
        schema = json.loads(content)
        change(schema)
        return json.dumps(schema)

    path = tmp_path / "m.skops"
    path.write_bytes(rewritten(skops.io.dumps(make().fit(*digits)), forge))
    with pytest.raises(ModelLoadError, match="points outside of itself"):
        load_model(path)


def archive(*members: tuple[str | zipfile.ZipInfo, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", compression) as target:
        warnings.simplefilter("ignore")  # zipfile warns of names that stand twice
        for name, content in (("schema.json", b"{}"), *members):
            target.writestr(name, content)
    return buffer.getvalue()


def link(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name)
    member.create_system = 3
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    return member


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (archive(("../evil", b"x")), "leaves the archive"),
        (archive(("a/../../evil", b"x")), "leaves the archive"),
        (archive(("/etc/evil", b"x")), "leaves the archive"),
        (archive(("C:\\evil", b"x")), "leaves the archive"),
        (archive(("twice", b"x"), ("twice", b"y")), "'twice' twice"),
        (archive((link("l"), b"/etc/passwd")), "a link"),
        (archive(("bomb", bytes(30_000_000)), compression=zipfile.ZIP_DEFLATED), "a zip bomb"),
    ],
)
def test_an_archive_that_skops_never_writes_is_refused(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "m.skops"
    path.write_bytes(data)
    with pytest.raises(ModelLoadError, match=words):
        load_model(path)


def test_limits_of_an_archive(monkeypatch: pytest.MonkeyPatch) -> None:
    data = archive(*[(f"m{number}", b"x" * 100) for number in range(20)])
    zip_limits.check_archive(data)
    for limit, value, words in (
        ("MAX_MEMBERS", 20, "21 members; at most 20"),
        ("MAX_UNPACKED_BYTES", 1000, "2,002 bytes unpacked; at most 1,000"),
        ("MAX_SCHEMA_BYTES", 1, "schema.json of 2 bytes; at most 1"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(zip_limits, limit, value)
            with pytest.raises(ModelLoadError, match=words):
                zip_limits.check_archive(data)


def test_a_bad_checksum_is_damage(tmp_path: Path, skops_file: Path) -> None:
    data = bytearray(skops_file.read_bytes())
    at = data.index(b"\x93NUMPY") + 200
    data[at] ^= 0xFF
    skops_file.write_bytes(data)
    with pytest.raises(ModelLoadError, match="damaged"):
        load_model(skops_file)


def test_a_schema_nested_without_end_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "m.skops"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        target.writestr("schema.json", "[" * 200_000)
    path.write_bytes(buffer.getvalue())
    with pytest.raises(ModelLoadError, match="damaged"):
        load_model(path)
