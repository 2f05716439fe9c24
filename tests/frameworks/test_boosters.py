"""Boosters that work as scikit-learn's classifiers do, saved by joblib, answer as they do themselves."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frameworks.case import TOLERANCE
from frameworks.estimators import saved, training_data
from support.command import cvserve

if not os.environ.get("CVSERVE_TEST_LONG"):
    pytest.skip("CVSERVE_TEST_LONG=1 asks the boosters", allow_module_level=True)

BOOSTERS: dict[str, Callable[[Any], Any]] = {
    "xgboost": lambda package: package.XGBClassifier(n_estimators=5, max_depth=3),
    "lightgbm": lambda package: package.LGBMClassifier(n_estimators=5, min_child_samples=5, verbose=-1),
    "catboost": lambda package: package.CatBoostClassifier(
        iterations=5, depth=3, verbose=False, allow_writing_files=False
    ),
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("compiled", ["never", "auto"])
@pytest.mark.parametrize("name", BOOSTERS)
def test_scores_are_those_of_the_booster(tmp_path: Path, name: str, compiled: str) -> None:
    package = pytest.importorskip(name, reason="pip install -r tests/frameworks/requirements-long.txt")
    model = BOOSTERS[name](package).fit(*training_data())
    assert saved(model, ".joblib", compiled, tmp_path).differ() <= TOLERANCE


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("name", BOOSTERS)
def test_a_booster_of_named_columns_says_so_once_at_most(home: Path, name: str, photo: bytes) -> None:
    package = pytest.importorskip(name, reason="pip install -r tests/frameworks/requirements-long.txt")
    pandas = pytest.importorskip("pandas")
    values, classes = training_data()
    table = pandas.DataFrame(values.astype(np.float64), columns=[f"pixel{number}" for number in range(64)])
    saved(BOOSTERS[name](package).fit(table, classes), ".joblib", "never", home)
    (home / "photo.jpg").write_bytes(photo)
    assert cvserve("model", "trust", "model.joblib", "--sha256", _sha256(home / "model.joblib")).code == 0
    said = cvserve("predict", "--model", "model.joblib", "photo.jpg")
    assert said.code == 0, said.err
    assert said.err.count("feature names") <= 1


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
