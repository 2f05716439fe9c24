"""Fifteen trained classifiers of scikit-learn, saved as skops and by joblib."""

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import skops.io
from numpy.typing import NDArray
from PIL import Image
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression, RidgeClassifier, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from frameworks.case import Case, soft_max
from frameworks.photos import photos

SIDE_PX = 8
INPUT = f'[input]\nsize = [{SIDE_PX}, {SIDE_PX}]\nmode = "L"\nresize = "stretch"\ndecode = "exact"\nscale = {1 / 255}\n'
CLASSES = 3

MAKERS: dict[str, Callable[[], Any]] = {
    "LogisticRegression": lambda: LogisticRegression(max_iter=300),
    "scaler, PCA and LogisticRegression": lambda: make_pipeline(StandardScaler(), PCA(8), LogisticRegression()),
    "RidgeClassifier": RidgeClassifier,
    "SGDClassifier": lambda: SGDClassifier(loss="log_loss", random_state=0),
    "LinearSVC": lambda: LinearSVC(max_iter=5000),
    "SVC": lambda: SVC(gamma="scale"),
    "GaussianNB": GaussianNB,
    "LinearDiscriminantAnalysis": LinearDiscriminantAnalysis,
    "KNeighborsClassifier": KNeighborsClassifier,
    "DecisionTreeClassifier": lambda: DecisionTreeClassifier(max_depth=5, random_state=0),
    "RandomForestClassifier": lambda: RandomForestClassifier(20, random_state=0),
    "ExtraTreesClassifier": lambda: ExtraTreesClassifier(20, random_state=0),
    "GradientBoostingClassifier": lambda: GradientBoostingClassifier(n_estimators=5, random_state=0),
    "HistGradientBoostingClassifier": lambda: HistGradientBoostingClassifier(max_iter=5),
    "MLPClassifier": lambda: MLPClassifier((16,), max_iter=300, tol=1e-2, random_state=0),
    "AdaBoostClassifier": lambda: AdaBoostClassifier(n_estimators=5, random_state=0),
    "BaggingClassifier": lambda: BaggingClassifier(n_estimators=5, random_state=0),
    "VotingClassifier": lambda: VotingClassifier(
        [("tree", DecisionTreeClassifier(max_depth=3)), ("bayes", GaussianNB())], voting="soft"
    ),
}


def values_of(photo: Image.Image) -> NDArray[np.float32]:
    """The values of one photo as the classifiers were trained on them, [64]."""
    grey = photo.convert("L").resize((SIDE_PX, SIDE_PX), Image.Resampling.BILINEAR)
    return np.asarray(grey, np.float32).reshape(-1) / np.float32(255)


@cache
def training_data() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Photos and darker, brighter and mirrored ones; the class is how bright the middle is, with mistakes."""
    rng = np.random.default_rng(2)
    rows = np.stack([values_of(photo) for photo in photos().values()])
    more = np.concatenate([rows * factor + rng.normal(0, 0.05, rows.shape) for factor in (0.5, 0.8, 1.0, 1.2)])
    values = np.clip(more, 0, 1).astype(np.float32)
    middle = values[:, 20:44].mean(axis=1) + rng.normal(0, 0.05, len(values))
    return values, np.digitize(middle, np.quantile(middle, [1 / 3, 2 / 3]))


def answer(estimator: Any, photo: Image.Image) -> Any:
    """What the estimator itself says: probabilities, or the soft-max of its decision function."""
    row = values_of(photo)[None]
    if hasattr(estimator, "predict_proba"):
        return estimator.predict_proba(row)[0]
    return soft_max(estimator.decision_function(row)[0])


def saved(estimator: Any, suffix: str, compiled: str, folder: Path) -> Case:
    """A trained estimator as a file; `compiled` is `--compile`."""
    path = folder / f"model{suffix}"
    if suffix == ".skops":
        skops.io.dump(estimator, path)
    else:
        joblib.dump(estimator, path)
    path.with_suffix(".toml").write_text(INPUT, encoding="utf-8")
    return Case(path, partial(answer, estimator), {"compile": compiled, "trust": suffix != ".skops"}, is_grey=True)


@cache
def fitted(name: str) -> Any:
    """One of `MAKERS`, trained."""
    return MAKERS[name]().fit(*training_data())
