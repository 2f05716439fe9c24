"""Estimators of several labels: each label has a score of its own, and none is soft-maxed."""

import warnings
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import LinearSVC

from cvserve import Predictor
from cvserve.errors import ModelLoadError

RANDOM = np.random.default_rng(0)
VALUES = RANDOM.integers(0, 256, (200, 16)).astype(np.float64)
LABELS = (VALUES - 128) @ RANDOM.normal(size=(16, 3)) > 0
PICTURE = VALUES[0].astype(np.uint8).reshape(4, 4)


def expected(estimator: Any) -> NDArray[Any]:
    """The scores by the estimator itself."""
    if hasattr(estimator, "predict_proba"):
        return np.asarray(estimator.predict_proba(VALUES[:1])[0])
    return np.asarray(1 / (1 + np.exp(-estimator.decision_function(VALUES[:1])[0])))


@pytest.mark.parametrize("compile_", ["never", "auto"])
@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda: OneVsRestClassifier(LogisticRegression(max_iter=1000)), "probabilities"),
        (lambda: make_pipeline(StandardScaler(), OneVsRestClassifier(LinearSVC())), "sigmoid"),
        (lambda: MLPClassifier((4,), max_iter=20, random_state=0), "probabilities"),
    ],
    ids=["one against the rest", "without probabilities", "network"],
)
def test_each_label_has_its_own_score(tmp_path: Path, make: Any, kind: str, compile_: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # not trained to its end
        estimator = make().fit(VALUES, LABELS.astype(int))
    joblib.dump(estimator, tmp_path / "m.joblib")
    (tmp_path / "m.toml").write_text('labels = ["sun", "sea", "sand"]\n[input]\nscale = 1.0\n')
    predictor = Predictor.load(tmp_path / "m.joblib", trust=True, compile=compile_)
    assert predictor.model.origins["output.scores"] == (kind, "file")
    assert predictor.model.origins["labels are"] == ("each by itself: their scores do not sum to 1", "warm-up")
    found = {entry.index: entry.score for entry in predictor.predict(PICTURE).top}
    assert [found[index] for index in range(3)] == pytest.approx(expected(estimator), abs=1e-5)


def test_one_label_a_picture_is_as_before(tmp_path: Path) -> None:
    estimator = OneVsRestClassifier(LinearSVC()).fit(VALUES, LABELS.argmax(axis=1))
    joblib.dump(estimator, tmp_path / "m.joblib")
    predictor = Predictor.load(tmp_path / "m.joblib", trust=True, compile="never")
    assert predictor.scores == "logits"
    assert sum(entry.score for entry in predictor.predict(PICTURE).top) == pytest.approx(1, abs=1e-5)


def test_a_list_of_answers_is_refused_by_a_sentence(tmp_path: Path) -> None:
    joblib.dump(KNeighborsClassifier().fit(VALUES, LABELS.astype(int)), tmp_path / "m.joblib")
    with pytest.raises(ModelLoadError, match="answers 3 questions at once; save a model for one of them"):
        Predictor.load(tmp_path / "m.joblib", trust=True)


class Booster(ClassifierMixin, BaseEstimator):
    """Answers as XGBoost's classifier does when it is trained with three labels: its classes are no and yes."""

    classes_ = np.array([0, 1])
    n_features_in_ = 16

    def predict(self, rows: NDArray[Any]) -> Any:
        return (self.predict_proba(rows) > 0.5).astype(int)

    def predict_proba(self, rows: NDArray[Any]) -> Any:
        return np.stack([rows.mean(axis=1) / 256, rows[:, 0] / 256, rows[:, 1] / 256], axis=1)


class Uneven(Booster):
    """Three scores for two classes, of which it answers with one."""

    def predict(self, rows: NDArray[Any]) -> Any:
        return np.zeros((len(rows), 2, 2))


class Forgetful(Booster):
    """CatBoost's classifier after it was loaded: it counts no values and has all their names."""

    n_features_in_ = 0

    @property
    def feature_names_(self) -> list[str]:
        return [str(number) for number in range(16)]


@pytest.mark.parametrize("kind", [None, "probabilities"])
@pytest.mark.parametrize("make", [Booster, Forgetful])
def test_no_and_yes_for_each_label_are_scores_of_the_labels(tmp_path: Path, make: Any, kind: str | None) -> None:
    joblib.dump(make(), tmp_path / "m.joblib")
    wanted = f'[output]\nscores = "{kind}"\n' if kind else ""
    (tmp_path / "m.toml").write_text(f"[input]\nscale = 1.0\n{wanted}")
    predictor = Predictor.load(tmp_path / "m.joblib", trust=True)
    assert predictor.labels == ("0", "1", "2")
    found = {entry.index: entry.score for entry in predictor.predict(PICTURE, top_k=3).top}
    assert [found[index] for index in range(3)] == pytest.approx(Booster().predict_proba(VALUES[:1])[0], abs=1e-5)


@pytest.mark.parametrize("kind", [None, "probabilities", "labels", "logits"])
def test_a_number_of_scores_that_does_not_fit_is_said(tmp_path: Path, kind: str | None) -> None:
    joblib.dump(Uneven(), tmp_path / "m.joblib")
    if kind:
        (tmp_path / "m.toml").write_text(f'[output]\nscores = "{kind}"\n')
    with pytest.raises(ModelLoadError, match=r"holds a Uneven, which gives .* 2 classes; ") as refused:
        Predictor.load(tmp_path / "m.joblib", trust=True)
    said = str(refused.value)
    assert "None" not in said
    assert kind is None or f'scores = "{kind}" below' not in said
    assert kind != "probabilities" or '3 scores ("probabilities") for 2 classes' in said


def picks_by_name() -> Any:
    """A pipeline as it is after it was trained with a table of named columns."""
    steps = [("scaled", StandardScaler(), [*range(8)]), ("ranged", MinMaxScaler(), slice(8, 15)), ("one", "drop", [15])]
    estimator = make_pipeline(ColumnTransformer(steps), LogisticRegression(max_iter=1000))
    estimator.fit(VALUES, LABELS[:, 0])
    expected_scores = estimator.predict_proba(VALUES[:1])[0]
    picker = estimator[0]
    picker.feature_names_in_ = np.array([f"p{number}" for number in range(16)], dtype=object)
    columns = [[f"p{number}" for number in range(8)], slice("p8", "p14"), ["p15"]]
    picker.transformers = [(name, part, by) for (name, part, _), by in zip(picker.transformers, columns, strict=True)]
    picker.transformers_ = [(name, part, by) for (name, part, _), by in zip(picker.transformers_, columns, strict=True)]
    return estimator, expected_scores


@pytest.mark.parametrize("compile_", ["never", "auto"])
def test_columns_are_picked_by_their_places(tmp_path: Path, compile_: str) -> None:
    estimator, scores = picks_by_name()
    joblib.dump(estimator, tmp_path / "m.joblib")
    (tmp_path / "m.toml").write_text("[input]\nscale = 1.0\n")
    predictor = Predictor.load(tmp_path / "m.joblib", trust=True, compile=compile_)
    found = {entry.index: entry.score for entry in predictor.predict(PICTURE, top_k=2).top}
    assert [found[0], found[1]] == pytest.approx(scores, abs=1e-5)


def test_the_cause_of_a_failure_is_said(tmp_path: Path) -> None:
    estimator, _ = picks_by_name()
    estimator[0]._transformer_to_input_indices = None
    joblib.dump(estimator, tmp_path / "m.joblib")
    with pytest.raises(ModelLoadError, match=r"ValueError: Specifying the columns using strings is only supported"):
        Predictor.load(tmp_path / "m.joblib", trust=True)
