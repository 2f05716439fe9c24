"""Boosters that work as scikit-learn's classifiers do, saved by joblib, answer as they do themselves."""

import dataclasses
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from PIL import Image
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from cvserve import Predictor
from cvserve.errors import ModelLoadError
from frameworks.case import TOLERANCE
from frameworks.estimators import saved, training_data, values_of
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


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")
def test_a_booster_of_three_labels_says_yes_or_no_for_each(tmp_path: Path) -> None:
    package = pytest.importorskip("xgboost", reason="pip install -r tests/frameworks/requirements-long.txt")
    values, classes = training_data()
    model = BOOSTERS["xgboost"](package).fit(values, np.stack([classes > 0, classes > 1, classes == 1], axis=1))
    assert saved(model, ".joblib", "auto", tmp_path).differ() <= TOLERANCE


@pytest.mark.slow
def test_catboost_is_asked_without_a_size(tmp_path: Path) -> None:
    package = pytest.importorskip("catboost", reason="pip install -r tests/frameworks/requirements-long.txt")
    path = saved(BOOSTERS["catboost"](package).fit(*training_data()), ".joblib", "never", tmp_path).path
    Path(path).with_suffix(".toml").write_text("[input]\nscale = 0.004\n")
    assert Predictor.load(path, trust=True).model.origins["input.size"] == ((8, 8), "guessed")


@pytest.mark.slow
def test_a_bare_booster_names_the_classifier(tmp_path: Path) -> None:
    package = pytest.importorskip("xgboost", reason="pip install -r tests/frameworks/requirements-long.txt")
    joblib.dump(BOOSTERS["xgboost"](package).fit(*training_data()).get_booster(), tmp_path / "m.joblib")
    with pytest.raises(ModelLoadError, match=r"save the fitted XGBClassifier by joblib\.dump"):
        Predictor.load(tmp_path / "m.joblib", trust=True)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".joblib", ".skops"])
def test_columns_of_a_table_are_picked_without_one(tmp_path: Path, suffix: str) -> None:
    pandas = pytest.importorskip("pandas")
    values, classes = training_data()
    names = [f"pixel{number}" for number in range(64)]
    steps = [("a", StandardScaler(), names[:32]), ("b", MinMaxScaler(), names[32:])]
    model = make_pipeline(ColumnTransformer(steps), LogisticRegression(max_iter=300))
    model.fit(pandas.DataFrame(values, columns=names), classes)
    case = saved(model, suffix, "auto", tmp_path)

    def ask(photo: Image.Image) -> Any:
        return model.predict_proba(pandas.DataFrame(values_of(photo)[None], columns=names))[0]

    assert dataclasses.replace(case, reference=ask).differ() <= TOLERANCE


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
