"""Graphs that were exported in training mode: their answers depend on chance, or on company."""

from typing import Any

from cvserve.predictor.backends.onnx.walk import find_constants, list_graphs, list_nodes
from cvserve.predictor.models.fault import ModelFault

_BOOL = 9  # `TensorProto.BOOL`


def check_mode(model: Any) -> None:
    """Refuse a graph with an operator in training mode, wherever it stands.

    Args:
        model: a `ModelProto`.

    Raises:
        ModelFault: there is one.
    """
    constants = find_constants(list_graphs(model.graph, *model.functions))
    true = {name for name, tensor in constants if tensor.data_type == _BOOL and _is_true(tensor)}
    for node in list_nodes(model):
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
