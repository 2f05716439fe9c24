"""Decision trees from a file that nobody vouched for: do all indices in their nodes stay inside?

scikit-learn follows the indices without a check, so a crafted file could read foreign memory or crash the
process. Each child must stand behind its parent (which also rules out circles), and each feature must exist.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble._forest import BaseForest
from sklearn.ensemble._gb import BaseGradientBoosting
from sklearn.ensemble._hist_gradient_boosting.gradient_boosting import BaseHistGradientBoosting
from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
from sklearn.tree import BaseDecisionTree
from sklearn.tree._tree import Tree

from cvserve.predictor.backends.sklearn.parts import parts
from cvserve.predictor.models.fault import ModelFault

_LEAF = -1


def check_trees(model: Any) -> None:
    """Check every tree in `model`.

    Args:
        model: an estimator just read.

    Raises:
        ModelFault: a tree points outside of itself or of its input.
    """
    for part in parts(model):
        if not _is_sound(part):
            raise ModelFault(
                "holds a decision tree that points outside of itself; it is damaged or forged, "
                "get the file again from where it was made."
            )


def _is_sound(part: Any) -> bool:
    try:
        if isinstance(part, Tree):
            return _tree_is_sound(part)
        if isinstance(part, BaseDecisionTree):
            return not hasattr(part, "tree_") or _owner_is_sound(part, part.tree_.n_features)
        if isinstance(part, (BaseForest, BaseGradientBoosting)):
            # These hand the picture to their trees without another look at its width.
            trees = np.asarray(getattr(part, "estimators_", []), dtype=object)
            if isinstance(part, BaseGradientBoosting) and trees.shape[1] != part.n_trees_per_iteration_:
                return False  # the scores of the last columns would be written behind their array
            return all(_owner_is_sound(part, tree.tree_.n_features) for tree in trees.ravel().tolist())
        if isinstance(part, BaseHistGradientBoosting):
            rows = getattr(part, "_predictors", [])
            return all(_predictor_is_sound(tree, int(part.n_features_in_)) for row in rows for tree in row)
        return True
    except (AttributeError, TypeError, ValueError, KeyError, IndexError):
        return False


def _owner_is_sound(owner: Any, n_features: int) -> bool:
    return int(owner.n_features_in_) == n_features


def _tree_is_sound(tree: Any) -> bool:
    # First of all: `node_count` is a number of its own in the file, and the arrays below are made with it.
    if not 1 <= tree.node_count <= tree.capacity:
        return False
    inner = tree.children_left != _LEAF
    children = np.stack([tree.children_left[inner], tree.children_right[inner]])
    parents = np.flatnonzero(inner)
    return _indices_are_sound(parents, children, tree.feature[inner], tree.node_count, tree.n_features)


def _predictor_is_sound(tree: TreePredictor, n_features: int) -> bool:
    nodes = tree.nodes
    inner = nodes["is_leaf"] == 0
    if nodes.ndim != 1 or nodes.size == 0 or nodes["is_categorical"][inner].any():
        # Pixels are no categories, and a category is one more index to follow.
        return False
    children = np.stack([nodes["left"][inner], nodes["right"][inner]]).astype(np.int64)
    parents = np.flatnonzero(inner)
    return _indices_are_sound(parents, children, nodes["feature_idx"][inner], nodes.size, n_features)


def _indices_are_sound(
    parents: NDArray[Any], children: NDArray[Any], features: NDArray[Any], nodes: int, n_features: int
) -> bool:
    return bool(
        (children > parents).all()
        and (children < nodes).all()
        and (features >= 0).all()
        and (features < n_features).all()
    )
