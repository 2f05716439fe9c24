"""Small ONNX graphs whose answers are known from NumPy."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

CLASSES = 3
_TYPES = {
    "float32": TensorProto.FLOAT,
    "float16": TensorProto.FLOAT16,
    "float64": TensorProto.DOUBLE,
    "uint8": TensorProto.UINT8,
    "bfloat16": TensorProto.BFLOAT16,
    "string": TensorProto.STRING,
}
Shape = Sequence[int | str | None]


def linear(shape: Shape, *, dtype: str = "float32", classes: int = CLASSES, soft_max: bool = False) -> ModelProto:
    """Scores are the values of a picture times `weights_of` them; where a size is free, their sum over the channel is.

    Args:
        shape: of the input, the batch first.
        dtype: of the input.
        classes: how many.
        soft_max: whether it gives probabilities.
    """
    is_free = any(not isinstance(size, int) for size in shape[1:])
    count = _channels(shape) if is_free else math.prod(int(size or 0) for size in shape[1:])
    nodes = [helper.make_node("Cast", ["pixels"], ["x"], to=TensorProto.FLOAT)]
    if is_free:
        axes = [1, 2] if shape[-1] == count else [2, 3]
        nodes.append(helper.make_node("ReduceMean", ["x"], ["flat"], axes=axes, keepdims=0))
    else:
        nodes.append(helper.make_node("Flatten", ["x"], ["flat"]))
    nodes.append(helper.make_node("MatMul", ["flat", "weights"], ["sums" if soft_max else "scores"]))
    if soft_max:
        nodes.append(helper.make_node("Softmax", ["sums"], ["scores"], axis=1))
    return graph(nodes, shape, [shape[0], classes], dtype, weights=weights_of(count, classes))


def graph(nodes: list[Any], takes: Shape, gives: Shape, dtype: str = "float32", **weights: NDArray[Any]) -> ModelProto:
    """A model with one input `pixels` and one output `scores`."""
    made = helper.make_graph(
        nodes,
        "classifier",
        [helper.make_tensor_value_info("pixels", _TYPES[dtype], takes)],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, gives)],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def endless(shape: Shape) -> ModelProto:
    """A model that answers after a loop of 2⁶² turns."""
    turn, goes_on, before, after = (
        helper.make_tensor_value_info("turn", TensorProto.INT64, []),
        helper.make_tensor_value_info("goes_on", TensorProto.BOOL, []),
        helper.make_tensor_value_info("before", TensorProto.FLOAT, [1, CLASSES]),
        helper.make_tensor_value_info("after", TensorProto.FLOAT, [1, CLASSES]),
    )
    still = helper.make_tensor_value_info("still", TensorProto.BOOL, [])
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["goes_on"], ["still"]),
            helper.make_node("Add", ["before", "before"], ["after"]),
        ],
        "turn",
        [turn, goes_on, before],
        [still, after],
    )
    nodes = [
        helper.make_node("Flatten", ["pixels"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["first"]),
        helper.make_node("Loop", ["turns", "", "first"], ["scores"], body=body),
    ]
    count = math.prod(int(size or 0) for size in shape[1:])
    return graph(nodes, shape, [1, CLASSES], weights=weights_of(count), turns=np.array(2**62, np.int64))


def weights_of(count: int, classes: int = CLASSES) -> NDArray[np.float32]:
    """One number for each value of a picture and each class, all different."""
    return np.random.default_rng(1).normal(0, 1 / np.sqrt(count), (count, classes)).astype(np.float32)


def probabilities(batch: NDArray[Any], *, is_free: bool = False, channels_last: bool = False) -> NDArray[np.float64]:
    """What `linear` means for an array that it takes, after a soft-max.

    Args:
        batch: as the graph takes it.
        is_free: whether the graph leaves the size open.
        channels_last: then: where the channels are.
    """
    values = batch.astype(np.float64)
    flat = values.mean(axis=(1, 2) if channels_last else (2, 3)) if is_free else values.reshape(len(batch), -1)
    sums = flat @ weights_of(flat.shape[1]).astype(np.float64)
    powers = np.exp(sums - sums.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _channels(shape: Shape) -> int:
    return next(size for size in (shape[1], shape[-1]) if size in (1, 3))
