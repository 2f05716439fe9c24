"""Ways through an ONNX graph: all operators, also those of graphs inside of it, and all constants."""

from collections.abc import Iterable, Iterator
from typing import Any

# Operators that give the values that they take, in another shape or type.
KEEPS_VALUES = frozenset({"Identity", "Cast", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Dropout"})


def list_graphs(*owners: Any) -> Iterator[Any]:
    """Graphs or functions, and every graph inside of their operators, as loops and branches have them.

    Args:
        owners: `GraphProto` or `FunctionProto`.
    """
    todo = list(owners)
    while todo:
        owner = todo.pop()
        yield owner
        for node in owner.node:
            for attribute in node.attribute:
                todo.extend((attribute.g, *attribute.graphs) if attribute.HasField("g") else attribute.graphs)


def list_nodes(model: Any) -> Iterator[Any]:
    """Every operator of a `ModelProto`: of its graph, of graphs inside of it, and of functions."""
    for owner in list_graphs(model.graph, *model.functions):
        yield from owner.node


def find_constants(owners: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    """Name and tensor of each constant: weights, what an operator gives as one, and what passes such a one on.

    Names of two functions may be alike, so that one may come twice.

    Args:
        owners: of `list_graphs`, or a single graph.
    """
    for owner in owners:
        found = {tensor.name: tensor for tensor in getattr(owner, "initializer", ())}
        for node in owner.node:  # in the order in which they run, as ONNX has it
            if not node.output:
                continue
            if node.op_type == "Constant":
                found.update((node.output[0], one.t) for one in node.attribute if one.HasField("t"))
            elif node.op_type in KEEPS_VALUES and node.input and node.input[0] in found:
                found[node.output[0]] = found[node.input[0]]
        yield from found.items()
