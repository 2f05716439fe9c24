"""Forests of trees asked directly: scikit-learn spends most of a small batch on handing trees to joblib, one by one."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

# By name: to import `sklearn.ensemble` for a model that is no forest would make every start slower.
_FORESTS = {("sklearn.ensemble._forest", name) for name in ("RandomForestClassifier", "ExtraTreesClassifier")}
_TRIED_ROWS = 32
Ask = Callable[[NDArray[Any]], NDArray[Any]]


def direct_forest(estimator: Any) -> Ask | None:
    """The same numbers as `estimator.predict_proba`, without its detours; None where that cannot be relied on.

    A forest's probabilities are the mean of its trees' (`ForestClassifier.predict_proba`). Whether this scikit-learn
    does it that way is tried once: every number must be equal.

    Args:
        estimator: a trained forest, or a pipeline that ends in one.
    """
    steps, forest = (estimator[:-1], estimator[-1]) if isinstance(estimator, Pipeline) else (None, estimator)
    if (type(forest).__module__, type(forest).__name__) not in _FORESTS:
        return None
    try:
        trees, n_features = [tree.tree_ for tree in forest.estimators_], forest.n_features_in_

        def ask(batch: NDArray[Any]) -> NDArray[Any]:
            rows = steps.transform(batch) if steps else batch
            rows = np.ascontiguousarray(rows, dtype=np.float32)  # what trees compare
            if rows.shape[1] != n_features:  # trees would read on behind the row
                raise ValueError(f"{rows.shape[1]} values a picture, not {n_features}")
            total = np.zeros((len(rows), len(forest.classes_)))
            for tree in trees:  # in scikit-learn's order, so that not even the last digit differs
                total += tree.predict(rows)
            total /= len(trees)
            return total

        tried = np.random.default_rng(0).uniform(-1, 256, (_TRIED_ROWS, estimator.n_features_in_))
        same = np.array_equal(ask(tried.astype(np.float32)), estimator.predict_proba(tried.astype(np.float32)))
    except Exception:  # several outputs, another scikit-learn, an estimator that is not whole: the usual way says it
        return None
    return ask if same else None
