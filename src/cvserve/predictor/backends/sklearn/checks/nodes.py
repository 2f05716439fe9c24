"""What a `.skops` file gives to compiled constructors, looked at before they are called.

skops reads an archive into a tree of nodes and makes objects of them from the leaves up. Trees and losses are made by
scikit-learn's compiled code: it takes the first side of an array that may have none, and items of a tuple that may be
too short.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from cvserve.predictor.backends.sklearn.checks.demands import Unsound, require
from cvserve.predictor.models.fault import ModelFault

_TREE = "Tree"
_MOST_SEED_WORDS = 64


def check_nodes(root: Any) -> None:
    """Check every node that is made by a compiled constructor. What is made here is what skops uses afterwards.

    Args:
        root: of a tree of skops' nodes, of types that are allowed.

    Raises:
        ModelFault: compiled code would be given what it cannot take.
    """
    for node in _walk_up(root):
        if "seed_seq_state" in node.children:
            _check_seed(node.children["seed_seq_state"].construct())
        if not {"attrs", "args", "constructor"} <= node.children.keys():
            continue
        try:
            name = node.children["constructor"].class_name
            arguments, state = (node.children[key].construct() for key in ("args", "attrs"))
            (_check_tree if name == _TREE else _check_loss)(arguments, state)
        except Unsound:
            raise ModelFault(
                f"holds a {name} that cannot be made: its parts contradict each other, so it is damaged or forged; "
                "get the file again from where it was made."
            ) from None


def _check_seed(state: Any) -> None:
    """NumPy fills a pool of any size, for hours if it is asked to."""
    size = state.get("pool_size") if isinstance(state, dict) else None
    if type(size) is not int or not 1 <= size <= _MOST_SEED_WORDS:
        raise ModelFault(f"holds a random generator with a pool of {size!a} words; save the model again.")


def _walk_up(root: Any) -> Iterator[Any]:
    """Each node once, what is in it before itself."""
    seen = {id(root)}
    todo = [(root, _children(root))]
    while todo:
        node, inner = todo[-1]
        child = next(inner, None)
        if child is None:
            todo.pop()
            yield node
        elif id(child) not in seen:
            seen.add(id(child))
            todo.append((child, _children(child)))


def _children(node: Any) -> Iterator[Any]:
    for child in [*node.children.values(), getattr(node, "cached", None)]:
        values = child.values() if isinstance(child, dict) else child if isinstance(child, list) else [child]
        yield from (value for value in values if hasattr(value, "construct"))


def _check_tree(arguments: Any, state: Any) -> None:
    require(type(arguments) is tuple and len(arguments) == 3)
    n_features, n_classes, n_outputs = arguments
    require(type(n_features) is int and type(n_outputs) is int and n_outputs > 0)
    require(type(n_classes) is np.ndarray and n_classes.shape == (n_outputs,) and (n_classes > 0).all())
    require(type(state) is dict)
    nodes, values = state.get("nodes"), state.get("values")
    require(type(nodes) is np.ndarray and nodes.ndim == 1 and nodes.size > 0)
    require(type(values) is np.ndarray and values.shape == (len(nodes), n_outputs, n_classes.max()))


def _check_loss(arguments: Any, state: Any) -> None:
    """Losses are made of numbers alone, by their constructors."""
    require(type(arguments) is tuple and all(type(value) in (int, float) for value in arguments))
    require(not state)
