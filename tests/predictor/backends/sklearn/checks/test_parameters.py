"""No parameter in a `.skops` file makes a model do anything but answer."""

import contextlib
import copy
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import skops.io
from sklearn.decomposition import KernelPCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import SelectFromModel
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from cvserve.errors import ModelLoadError
from cvserve.predictor.backends.sklearn.backend import EstimatorBackend
from support.command import cvserve
from support.hostile_models import fitted
from support.models import load_model

SCALED = '[input]\nsize = [8, 8]\nmode = "L"\nscale = 0.0625\nresize = "exact"\n'


class Touch:
    """A pickle that makes a file when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def save(model: Any, folder: Path) -> Path:
    path = folder / "m.skops"
    skops.io.dump(model, path)
    path.with_suffix(".toml").write_text(SCALED)
    return path


def changed(kind: str, change: Callable[[Any], object]) -> Any:
    model = copy.deepcopy(fitted(kind, 3))
    change(model)
    return model


def trained(*steps: Any) -> Any:
    rows = np.random.default_rng(0).uniform(0, 1, (40, 64)).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make_pipeline(*steps).fit(rows, np.arange(40) % 2)


def threshold(response_method: str) -> Any:
    """A classifier with a threshold, which holds nothing but its parameters and answers all the same."""
    inner = trained(StandardScaler(), LogisticRegression())
    return FixedThresholdClassifier(inner, response_method=response_method, pos_label=1)


def select(importance_getter: Any) -> Any:
    """A selection by an estimator that is trained already, which holds nothing but its parameters."""
    inner = trained(StandardScaler(), LogisticRegression())
    chosen = SelectFromModel(inner, prefit=True, importance_getter=importance_getter, threshold=-1.0)
    last = LogisticRegression().fit(np.eye(64), np.arange(64) % 2)
    return Pipeline([("select", chosen), ("last", last)])


def function(**parameters: Any) -> Any:
    model = trained(FunctionTransformer(np.sqrt), LogisticRegression())
    vars(model[0]).update(parameters)
    return model


def kernel(value: Any) -> Any:
    model = trained(KernelPCA(4, kernel="rbf"), LogisticRegression())
    model[0].kernel = value
    return model


def ask_loss(model: Any) -> None:
    """Its kernel is a loss, which would follow numbers of classes from the rows it was trained with."""
    model.base_estimator_.estimators_[0].kernel_ = fitted("boosting", 5)._loss


def plant_code(folder: Path) -> Path:
    """A model that would read a pickle beside it when it is asked; the file that the pickle would make."""
    made = folder / "made"
    model = threshold("fit")
    model.estimator.memory = str(folder / "cache")
    rows = np.full((1, 64), 127 * 0.0625, np.float32)
    with contextlib.suppress(ValueError):  # the classifier wants classes; the scaler before it is stored by then
        model.predict(rows)
    stored = list((folder / "cache").rglob("output.pkl"))
    assert stored
    for path in stored:
        joblib.dump(Touch(made), path)
    model.estimator.memory = "cache"
    save(model, folder)
    return made


@pytest.mark.parametrize("command", [("predict", "img.jpg"), ("serve", "--port", "0")])
def test_no_pickle_beside_a_model_is_read(home: Path, photo: bytes, command: tuple[str]) -> None:
    made = plant_code(home)
    (home / "img.jpg").write_bytes(photo)
    said = cvserve(*command, "--model", "m.skops", "--compile", "never")
    assert not made.exists()
    assert (said.code, said.out) == (5, "")
    assert "holds a FixedThresholdClassifier" in said.err


@pytest.mark.parametrize("method", ["fit", "fit_transform", "get_params", "_validate_params", "score"])
def test_a_method_that_has_no_answers_is_refused(tmp_path: Path, method: str) -> None:
    with pytest.raises(ModelLoadError, match="its parts contradict each other") as caught:
        load_model(save(threshold(method), tmp_path))
    assert caught.value.exit_code == 5


NEEDS_TRUST: dict[str, tuple[Callable[[], Any], str]] = {
    "looked-up-method": (lambda: select("fit"), "an importance_getter of its own"),
    "looked-up-path": (lambda: select("named_steps.standardscaler.fit"), "an importance_getter of its own"),
    "writes-to-the-file": (lambda: function(kw_args={"out": np.zeros((1, 64))}), "arguments for its function"),
    "two-arrays": (lambda: function(func=np.add), "a function of several arrays"),
    "makes-estimators": (lambda: function(func=Pipeline), "a function where none is known"),
    "kernel": (lambda: kernel(np.add), "a function where none is known"),
    "loss-as-kernel": (lambda: changed("gaussian-process", ask_loss), "a function where none is known"),
    "unknown-text": (lambda: kernel("fit"), "parameter kernel is nothing that this scikit-learn takes"),
    "unknown-activation": (
        lambda: changed("network", lambda model: vars(model).update(activation="fit")),
        "parameter activation is nothing",
    ),
}


@pytest.mark.parametrize("name", sorted(NEEDS_TRUST))
def test_a_function_or_a_text_that_nobody_knows_needs_trust(tmp_path: Path, name: str) -> None:
    make, reason = NEEDS_TRUST[name]
    with pytest.raises(ModelLoadError, match=f"{reason}.*which cannot be checked.*--trust-type") as caught:
        load_model(save(make(), tmp_path))
    assert caught.value.exit_code == 5


@pytest.mark.parametrize("method", ["auto", "predict_proba", "decision_function"])
def test_a_threshold_may_ask_for_scores(tmp_path: Path, method: str) -> None:
    path = save(threshold(method), tmp_path)
    assert load_model(path, compile="never").labels == ("0", "1")


def test_a_selection_may_ask_for_importances(tmp_path: Path) -> None:
    path = save(select("named_steps.logisticregression.coef_"), tmp_path)
    assert load_model(path, compile="never").labels == ("0", "1")


def test_a_pipeline_that_caches_its_training_writes_nothing_when_it_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model = trained(StandardScaler(), KNeighborsClassifier(3, n_jobs=8))
    model.set_params(memory="cache", verbose=True)
    loaded = load_model(save(model, tmp_path), compile="never")
    loaded.backend.infer(np.zeros((1, 64), np.float32))
    assert isinstance(loaded.backend, EstimatorBackend)
    steps = loaded.backend.estimator
    assert (steps.memory, steps.verbose, steps[-1].n_jobs) == (None, 0, 1)
    assert not list(tmp_path.rglob("cache"))


def test_an_untrained_estimator_is_no_fault(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).uniform(0, 1, (40, 64))
    search = GridSearchCV(RandomForestClassifier(3), {"max_depth": [2, 3]}, cv=2).fit(rows, np.arange(40) % 2)
    assert load_model(save(search, tmp_path), compile="never").labels == ("0", "1")
