"""Gradient boosting: each tree adds to a column of the scores that other parts of the model have made.

`predict_stages` writes to these columns without a check, so their number must be that of the trees in a stage.
"""

from typing import Any

import numpy as np

from cvserve.predictor.backends.sklearn.checks.demands import (
    name_of,
    require,
    require_array,
    require_classes,
    require_integer,
    require_known,
)
from cvserve.predictor.backends.sklearn.checks.trees import check_decision_tree, require_inside

_REGRESSION_TREE = "sklearn.tree._classes.DecisionTreeRegressor"
_PREDICTOR = "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"
_DUMMY = "sklearn.dummy.DummyClassifier"
# A loss and the link that it is made with; `link.link` decides the shape of the scores.
_OF_TWO = {
    "sklearn._loss.loss.HalfBinomialLoss": "sklearn._loss.link.LogitLink",
    "sklearn._loss.loss.ExponentialLoss": "sklearn._loss.link.HalfLogitLink",
}
_OF_MANY = {"sklearn._loss.loss.HalfMultinomialLoss": "sklearn._loss.link.MultinomialLogit"}


def check_boosting(part: Any) -> None:
    """Check a `GradientBoostingClassifier`: classes, loss, start and trees are of one model.

    Raises:
        Unsound: they are not.
        Unchecked: it starts with a model of the user's.
    """
    n_features = require_integer(part.n_features_in_, 1)
    n_classes = require_classes(part)
    columns = _check_loss(part, n_classes)
    trees = require_array(part.estimators_, object, (None, columns))
    require(len(trees) > 0)
    require(require_integer(part.n_trees_per_iteration_, 1) == columns)
    for tree in trees.ravel().tolist():
        require(name_of(type(tree)) == _REGRESSION_TREE)
        check_decision_tree(tree)
        require(tree.tree_.n_features == n_features and tree.tree_.value.shape[1:] == (1, 1))
    if isinstance(part.init_, str):
        require(part.init_ == "zero")
        return
    # What another model gives has any number of rows and columns, and rows are written to as well.
    require_known(name_of(type(part.init_)) == _DUMMY, "that starts with a model of its own (init)")
    start = part.init_
    require(start._strategy == "prior" and require_integer(start.n_outputs_, 1, 1))
    require_array(start.class_prior_, np.float64, (n_classes,))


def _check_loss(part: Any, n_classes: int) -> int:
    """Columns of scores: one for two classes, else one a class."""
    columns = 1 if n_classes == 2 else n_classes
    links = _OF_TWO if columns == 1 else _OF_MANY
    require(name_of(type(part._loss.link)) == links.get(name_of(type(part._loss))))
    require(columns == 1 or part._loss.n_classes == n_classes)
    return columns


def check_histogram_boosting(part: Any) -> None:
    """Check a `HistGradientBoostingClassifier`.

    Raises:
        Unsound: a tree points outside of itself or of its input.
        Unchecked: it sorts its input first.
    """
    n_features = require_integer(part.n_features_in_, 1)
    # Another estimator would decide how many values there are; it is there for categories, which pixels are not.
    require_known(getattr(part, "_preprocessor", None) is None, "with categories")
    require(not getattr(part, "_in_fit", False))
    require(not np.asarray(part._bin_mapper.is_categorical_).any())
    require(type(part._predictors) is list)
    for row in part._predictors:
        require(type(row) is list and len(row) <= require_integer(part.n_trees_per_iteration_, 1))
        for tree in row:
            require(name_of(type(tree)) == _PREDICTOR)
            _check_predictor(tree.nodes, n_features)


def _check_predictor(nodes: Any, n_features: int) -> None:
    require(type(nodes) is np.ndarray and nodes.ndim == 1 and nodes.size > 0)
    inner = nodes["is_leaf"] == 0
    # A category is one more index to follow.
    require(not nodes["is_categorical"][inner].any())
    children = np.stack([nodes["left"][inner], nodes["right"][inner]]).astype(np.int64)
    require_inside(np.flatnonzero(inner), children, nodes["feature_idx"][inner], nodes.size, n_features)
