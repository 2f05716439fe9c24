"""How large the tensors are that a graph makes of a shape: a few bytes of it may ask for all memory."""

import math
from collections.abc import Iterator
from typing import Any

from cvserve.predictor.backends.onnx.library import onnx
from cvserve.predictor.backends.onnx.walk import find_constants
from cvserve.predictor.models.fault import ModelFault

_MAX_NUMBERS = 2**28  # 1 GiB of float32
# The input of each operator that is the shape of its answer
_SHAPES = {"ConstantOfShape": 0, "Expand": 1}
_LONGEST_SHAPE = 64


def check_constant_sizes(graph: Any) -> None:
    """Refuse a graph whose operators make more of a shape that stands in it than any classifier needs.

    A shape that the graph computes is not known before it runs.

    Args:
        graph: `GraphProto`, with its weights.

    Raises:
        ModelFault: one does.
    """
    shapes = dict(_list_shapes(graph))
    for node in graph.node:
        place = _SHAPES.get(node.op_type)
        if place is None or len(node.input) <= place:
            continue
        numbers = math.prod(shapes.get(node.input[place], ()))
        if numbers > _MAX_NUMBERS:
            raise ModelFault(
                f"makes a tensor of more than {_MAX_NUMBERS:,} numbers by {node.op_type}, and would take all memory; "
                "export it again."
            )


def _list_shapes(graph: Any) -> Iterator[tuple[str, list[int]]]:
    """Short lists of whole numbers in a graph, by name."""
    for node in graph.node:
        if node.op_type == "Constant" and node.output:
            yield from ((node.output[0], list(entry.ints)) for entry in node.attribute if entry.name == "value_ints")
    for name, tensor in find_constants([graph]):
        if tensor.data_type == onnx.TensorProto.INT64 and math.prod(tensor.dims) <= _LONGEST_SHAPE:
            yield name, onnx.numpy_helper.to_array(tensor).ravel().tolist()
