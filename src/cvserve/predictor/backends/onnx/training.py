"""Graphs that were exported in training mode: their answers depend on chance, or on company."""

from collections.abc import Iterator
from typing import Any

from cvserve.predictor.models.fault import ModelFault

_BOOL = 9  # `TensorProto.BOOL`


def check_mode(model: Any) -> None:
    """Refuse a graph with an operator in training mode, wherever it stands.

    Args:
        model: a `ModelProto`.

    Raises:
        ModelFault: there is one.
    """
    nodes = list(_nodes(model))
    true = {name for name, tensor in _constants(model, nodes) if tensor.data_type == _BOOL and _is_true(tensor)}
    for node in nodes:
        if _is_training(node, true):
            raise ModelFault(
                f"was exported in training mode ({node.op_type}), in which answers depend on chance and on "
                "company; call model.eval() before it is exported, or export it for inference."
            )


def _is_training(node: Any, true: set[str]) -> bool:
    if node.op_type == "BatchNormalization":
        return any(one.name == "training_mode" and one.i == 1 for one in node.attribute)
    return node.op_type == "Dropout" and len(node.input) > 2 and node.input[2] in true


def _is_true(tensor: Any) -> bool:
    return any(tensor.raw_data) or any(tensor.int32_data)


def _nodes(model: Any) -> Iterator[Any]:
    """Every operator: of the graph, of graphs inside of it, and of functions."""
    todo = [*model.graph.node, *(node for function in model.functions for node in function.node)]
    while todo:
        node = todo.pop()
        yield node
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                todo.extend(graph.node)


def _constants(model: Any, nodes: list[Any]) -> Iterator[tuple[str, Any]]:
    """Tensors by the name under which operators take them."""
    yield from ((tensor.name, tensor) for tensor in model.graph.initializer)
    for node in nodes:
        if node.op_type == "Constant":
            yield from ((node.output[0], one.t) for one in node.attribute if one.HasField("t"))
