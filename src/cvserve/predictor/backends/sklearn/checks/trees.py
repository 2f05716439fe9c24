"""Decision trees from a file that nobody vouched for: do all indices in their nodes stay inside?

scikit-learn follows the indices without a check, so a crafted file could read foreign memory or crash the
process. Each child must stand behind its parent (which also rules out circles), and each feature must exist.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvserve.predictor.backends.sklearn.checks.demands import name_of, require, require_integer

_LEAF = -1
_TREE = "sklearn.tree._tree.Tree"
_SINGLE = tuple(f"sklearn.tree._classes.{name}" for name in ("DecisionTreeClassifier", "ExtraTreeClassifier"))


def check_tree(tree: Any) -> None:
    """Check a `sklearn.tree._tree.Tree`.

    Raises:
        Unsound: it points outside of itself or of its input.
    """
    # First of all: `node_count` is a number of its own in the file, and the arrays below are made with it.
    require(1 <= tree.node_count <= tree.capacity)
    inner = tree.children_left != _LEAF
    children = np.stack([tree.children_left[inner], tree.children_right[inner]])
    require_inside(np.flatnonzero(inner), children, tree.feature[inner], tree.node_count, tree.n_features)


def check_decision_tree(part: Any) -> None:
    """Check an estimator that is one tree: the tree is as wide as what the estimator lets through.

    Raises:
        Unsound: it is not.
    """
    require(name_of(type(part.tree_)) == _TREE)
    require(part.tree_.n_features == require_integer(part.n_features_in_, 1))


def check_forest(part: Any) -> None:
    """Check a forest, which hands the picture to its trees without another look at its width.

    Raises:
        Unsound: a tree is of another width, or something else stands in its place.
    """
    n_features = require_integer(part.n_features_in_, 1)
    require(type(part.estimators_) is list and part.estimators_)
    for tree in part.estimators_:
        require(name_of(type(tree)) in _SINGLE)
        check_decision_tree(tree)
        require(tree.tree_.n_features == n_features)


def require_inside(
    parents: NDArray[Any], children: NDArray[Any], features: NDArray[Any], nodes: int, n_features: int
) -> None:
    """Go on if nodes point to later nodes and to features that exist.

    Args:
        parents: numbers of the nodes that have children, [N].
        children: of each, [2, N].
        features: that each asks for, [N].
        nodes: how many there are.
        n_features: how many values a picture has.

    Raises:
        Unsound: one does not.
    """
    require((children > parents).all() and (children < nodes).all())
    require((features >= 0).all() and (features < n_features).all())
