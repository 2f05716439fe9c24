"""No `.skops` file that needs no trust leads compiled code out of its memory."""

import copy
import os
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import skops.io
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.feature_selection import SelectKBest
from sklearn.impute import MissingIndicator
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import RadiusNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from cvserve.errors import ModelLoadError
from cvserve.predictor.backends.sklearn.forest import direct_forest
from support.command import cvserve
from support.fuzz_models import fuzz
from support.hostile_models import CLASSES, KINDS, fitted
from support.models import load_model

FUZZED = 20_000 if os.environ.get("CVSERVE_TEST_LONG") else 2 * len(KINDS)
# skops itself asks for trust in these.
SPARSE = ["scipy.sparse._csr.csr_matrix"]
FORGED = "its parts contradict each other"


def save(model: Any, folder: Path) -> Path:
    path = folder / "m.skops"
    skops.io.dump(model, path)
    path.with_suffix(".toml").write_text('[input]\nscale = 0.0625\nresize = "exact"')
    return path


def forged_boosting() -> Any:
    """Trees of five classes whose scores have the one column of a model for two."""
    model, other = (copy.deepcopy(fitted("boosting", n_classes)) for n_classes in (5, 2))
    model._loss, model.init_ = other._loss, other.init_
    return model


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_let_through(tmp_path: Path, kind: str) -> None:
    n_classes = CLASSES[KINDS.index(kind) % len(CLASSES)]
    path = save(fitted(kind, n_classes), tmp_path)
    assert load_model(path, trust_types=SPARSE, compile="never").labels


@pytest.mark.parametrize("command", [("predict", "img.jpg"), ("model", "inspect"), ("serve", "--port", "0")])
def test_a_file_that_would_write_behind_its_scores_is_refused(home: Path, photo: bytes, command: tuple[str]) -> None:
    save(forged_boosting(), home)
    (home / "img.jpg").write_bytes(photo)
    name = ("m.skops",) if command[0] == "model" else ("--model", "m.skops")
    said = cvserve(*command, *name)
    assert (said.code, said.out) == (5, "")
    assert "holds a GradientBoostingClassifier that points outside of itself" in said.err
    assert "Traceback" not in said.err


def with_start(kind: str, **state: Any) -> Any:
    model = copy.deepcopy(fitted(kind, 3))
    vars(model).update(state)
    return model


def changed(kind: str, change: Callable[[Any], None]) -> Any:
    model = copy.deepcopy(fitted(kind, 3))
    change(model)
    return model


def out_of_sparse(model: Any) -> None:
    model.coef_.indices[0] = 10**6


def lost_word(model: Any) -> None:
    state = model.random_state.get_state(legacy=False)
    state["state"]["pos"] = 10**6
    model.random_state.set_state(state)


def set_in(part: Callable[[Any], Any], **state: Any) -> Callable[[Any], None]:
    return lambda model: vars(part(model)).update(state)


FORGERIES: dict[str, Callable[[], Any]] = {
    "boosting-columns": forged_boosting,
    "boosting-zero-columns": lambda: with_start("boosting-zero", n_trees_per_iteration_=1),
    "boosting-start-of-two": lambda: with_start("boosting", init_=fitted("boosting", 2).init_),
    "boosting-other-strategy": lambda: changed("boosting", set_in(lambda m: m.init_, _strategy="uniform")),
    "boosting-classes": lambda: with_start("boosting", classes_=np.arange(2)),
    "boosting-width": lambda: with_start("boosting", n_features_in_=3),
    "boosting-wide-leaves": lambda: changed(
        "boosting", set_in(lambda m: m.estimators_[0, 0], tree_=fitted("tree", 3).tree_)
    ),
    "histogram-in-fit": lambda: with_start("histogram", _in_fit=True),
    "forest-width": lambda: with_start("forest", n_features_in_=65),
    "forest-of-machines": lambda: with_start("forest", estimators_=[fitted("svc", 3)]),
    "machine-counts": lambda: with_start("svc", _n_support=np.array([10**6, 1, 1], np.int32)),
    "machine-negative": lambda: with_start("svc", _n_support=np.array([-1, 60, 60], np.int32)),
    "machine-coefficients": lambda: with_start("svc", _dual_coef_=fitted("svc", 3)._dual_coef_[:1]),
    "machine-intercepts": lambda: with_start("svc", _intercept_=np.zeros(1)),
    "machine-chances": lambda: with_start("svc", probability=True, _probA=np.zeros(1), _probB=np.zeros(1)),
    "machine-support": lambda: with_start("svc", support_=np.arange(10**4, dtype=np.int32)),
    "machine-regression": lambda: with_start("svc", _impl="epsilon_svr"),
    "labels": lambda: with_start("neighbours-manhattan", _y=np.full(120, 10**6)),
    "negative-labels": lambda: with_start("neighbours-manhattan", _y=np.full(120, -1)),
    "too-many-neighbours": lambda: with_start("neighbours-manhattan", n_neighbors=121),
    "short-rows": lambda: with_start("neighbours", _fit_X=np.zeros((120, 3), np.float32)),
    "short-centroids": lambda: with_start("centroid", centroids_=np.zeros((3, 5), np.float32)),
    "threads": lambda: changed("clusters+forest", set_in(lambda m: m[0], _n_threads=-1)),
    "asks-for-a-path": lambda: with_start("stacking", stack_method_=["decision_path", "predict"]),
    "hidden-method": lambda: with_start("logistic", predict_proba=3),
    "sparse": lambda: changed("sparse-logistic", out_of_sparse),
    "sparse-ends-at-0": lambda: changed("sparse-logistic", lambda m: m.coef_.indptr.__setitem__(-1, 0)),
    "random-state": lambda: changed("dummy", lost_word),
}


@pytest.mark.parametrize("name", sorted(FORGERIES))
def test_what_contradicts_itself_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelLoadError, match=FORGED) as caught:
        load_model(save(FORGERIES[name](), tmp_path), trust_types=SPARSE)
    assert caught.value.exit_code == 5


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (RadiusNeighborsClassifier(100.0), "sklearn.neighbors._classification.RadiusNeighborsClassifier"),
        (
            make_pipeline(MissingIndicator(features="all"), LogisticRegression()),
            "sklearn.impute._base.MissingIndicator",
        ),
        (GradientBoostingClassifier(n_estimators=2, init=LogisticRegression()), "GradientBoostingClassifier"),
    ],
)
def test_a_kind_that_is_not_checked_needs_trust(tmp_path: Path, digits: tuple[Any, Any], model: Any, name: str) -> None:
    path = save(model.fit(*digits), tmp_path)
    with pytest.raises(ModelLoadError, match=f"add: --trust-type .*{name}") as caught:
        load_model(path)
    assert caught.value.exit_code == 5
    named = str(caught.value).partition("add: ")[2].replace("--trust-type", "").split()
    assert load_model(path, trust_types=named, compile="never").labels == tuple("0123456789")


class Handle:
    """What a booster's own code makes when it is read; no archive names it."""


class Booster(ClassifierMixin, BaseEstimator):
    """A classifier of another package, as XGBoost's and LightGBM's are."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.handles = [Handle()]

    def predict_proba(self, rows: Any) -> Any:
        return np.stack([rows[:, 0] / 16, 1 - rows[:, 0] / 16], axis=1)

    predict = predict_proba


def booster(**state: Any) -> Booster:
    model = Booster()
    model.__dict__.update(classes_=np.array([0, 1]), n_features_in_=64, counts=defaultdict(list), **state)
    return model


def named_in(said: object) -> list[str]:
    return str(said).partition("add: ")[2].replace("--trust-type", "").split()


def test_all_types_of_another_package_are_named_at_once(tmp_path: Path) -> None:
    path = save(booster(), tmp_path)
    with pytest.raises(ModelLoadError, match=r"holds types that may be harmful") as caught:
        load_model(path)
    names = named_in(caught.value)
    assert sorted(names) == ["collections.defaultdict", f"{__name__}.Booster"]
    assert load_model(path, trust_types=names, compile="never").labels == ("0", "1")


def test_what_a_trusted_type_got_from_the_archive_is_looked_at(tmp_path: Path) -> None:
    """Only what its own code has made is left alone, and that of scikit-learn never."""
    names = ["collections.defaultdict", f"{__name__}.Booster"]
    with pytest.raises(ModelLoadError, match="MissingIndicator"):
        load_model(save(booster(inner=MissingIndicator()), tmp_path), trust_types=names)
    with pytest.raises(ModelLoadError, match=FORGED):
        load_model(save(booster(inner=[forged_boosting()]), tmp_path), trust_types=names)
    with pytest.raises(ModelLoadError, match=r"add: --trust-type .*Handle$"):
        load_model(save(booster(inner=Handle()), tmp_path), trust_types=names)


def test_a_machine_trained_with_sparse_rows_needs_trust(tmp_path: Path, digits: tuple[Any, Any]) -> None:
    path = save(SVC().fit(csr_matrix(digits[0]), digits[1]), tmp_path)
    with pytest.raises(ModelLoadError, match=r"trained with sparse rows, which cannot be checked.*_classes\.SVC"):
        load_model(path, trust_types=SPARSE)
    assert load_model(path, trust_types=[*SPARSE, "sklearn.svm._classes.SVC"], compile="never").labels


def test_trust_in_one_type_is_not_trust_in_another(tmp_path: Path) -> None:
    """A pipeline is trusted, and the machine in it is still looked at."""
    model = make_pipeline(StandardScaler(), fitted("svc", 3))
    model[0].fit(np.eye(64))
    model[1].__dict__ = {**vars(model[1]), "_intercept_": np.zeros(1)}
    with pytest.raises(ModelLoadError, match=FORGED):
        load_model(save(model, tmp_path), trust_types=["sklearn.pipeline.Pipeline"])


class WatchedTree:
    """In the place of a compiled tree: says how wide the rows were that it was asked about."""

    def __init__(self) -> None:
        self.widths: list[int] = []

    def predict(self, rows: Any) -> Any:
        self.widths.append(rows.shape[1])
        return np.zeros((len(rows), 3))


def test_trees_are_never_asked_about_shorter_rows() -> None:
    """In front of the trees stands something that leaves less than they were trained with."""
    model = copy.deepcopy(fitted("scaler+forest", 3))
    model.steps[0] = ("k", SelectKBest(k=2).fit(np.eye(64), np.arange(64) % 2))
    tree = WatchedTree()
    model[-1].estimators_ = [SimpleNamespace(tree_=tree)]
    assert direct_forest(model) is None
    assert tree.widths == []


@pytest.fixture(scope="module")
def guard(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment in which each step behind a block of memory ends a process; glibc's own checks without cc."""
    compiler = shutil.which("cc")
    if compiler is None:
        return {"MALLOC_PERTURB_": "165"}
    library = tmp_path_factory.mktemp("guard") / "guard.so"
    source = Path(__file__).parents[4] / "support" / "guard_malloc.c"
    built = subprocess.run([compiler, "-O1", "-fPIC", "-shared", "-o", library, source], check=False)
    return {"LD_PRELOAD": str(library)} if built.returncode == 0 else {"MALLOC_PERTURB_": "165"}


def test_no_forged_file_ends_the_process(tmp_path: Path, guard: dict[str, str]) -> None:
    """Arrays of other values, shapes and types, other numbers, and parts of other models, in every kind."""
    outcome = fuzz(tmp_path, 0, FUZZED, **guard)
    assert outcome.faults == []
    assert outcome.counts.total() == FUZZED
    # Neither is everything refused, nor nothing.
    assert outcome.counts["answered"] > FUZZED / 10
    assert outcome.counts["refused"] > FUZZED / 10
