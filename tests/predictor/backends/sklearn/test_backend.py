"""Estimators of several labels: each label has a score of its own, and none is soft-maxed."""

import warnings
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
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
