"""Forests asked directly give scikit-learn's own numbers, or are not asked directly."""

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.ensemble import ExtraTreesClassifier, GradientBoostingClassifier, RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cvserve.predictor.backends.sklearn.forest import direct_forest

PIXELS, DIGITS = load_digits(return_X_y=True)
FORESTS = {
    "random forest": RandomForestClassifier(12, random_state=1),
    "extra trees": ExtraTreesClassifier(12, random_state=1),
    "in a pipeline": make_pipeline(StandardScaler(), RandomForestClassifier(12, random_state=1)),
    "with parallel jobs": RandomForestClassifier(12, n_jobs=2, random_state=1),
    "balanced": RandomForestClassifier(12, class_weight="balanced_subsample", random_state=1),
}


@pytest.mark.parametrize("name", FORESTS)
@pytest.mark.parametrize("rows", [1, 7, 64])
def test_numbers_are_scikit_learns_to_the_last_digit(name: str, rows: int) -> None:
    forest = FORESTS[name].fit(PIXELS[:400], DIGITS[:400])
    ask = direct_forest(forest)
    assert ask is not None
    batch = PIXELS[500 : 500 + rows].astype(np.float32)
    assert np.array_equal(ask(batch), forest.predict_proba(batch))


class OwnForest(RandomForestClassifier):
    """Changes what a forest says."""

    def predict_proba(self, X: Any) -> Any:
        return super().predict_proba(X)[:, ::-1]


@pytest.mark.parametrize(
    "estimator",
    [
        OwnForest(5).fit(PIXELS[:200], DIGITS[:200]),
        GradientBoostingClassifier(n_estimators=2).fit(PIXELS[:100], DIGITS[:100] > 4),
        RandomForestClassifier(5),
        RandomForestClassifier(5).fit(PIXELS[:200], np.stack([DIGITS[:200], DIGITS[:200] % 2], axis=1)),
        make_pipeline(StandardScaler()),
        "no estimator",
    ],
    ids=["own class", "boosting", "not trained", "two outputs", "no forest", "a text"],
)
def test_everything_else_is_asked_the_usual_way(estimator: Any) -> None:
    assert direct_forest(estimator) is None


def test_forest_that_answers_otherwise_than_its_trees_is_asked_the_usual_way() -> None:
    forest = RandomForestClassifier(5, random_state=1).fit(PIXELS[:200], DIGITS[:200])
    forest.predict_proba = lambda rows: np.full((len(rows), 10), 0.1)
    assert direct_forest(forest) is None
