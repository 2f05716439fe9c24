"""A graph of a few bytes that makes a tensor of gigabytes is refused before it runs."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper, numpy_helper

from cvserve.errors import ModelLoadError
from support.models import load_model
from support.onnx_models import graph, weights_of

SHAPE = ("N", 3, 6, 4)


def saved(path: Path, operator: str, where: str, sides: list[int]) -> Path:
    """A model that adds the sum of a tensor of some shape, all zero, to its scores."""
    shape = numpy_helper.from_array(np.array(sides, np.int64), "shape")
    said: dict[str, Any] = {"value": shape} if where == "value" else {"value_ints": sides}
    weights: dict[str, Any] = {"weights": weights_of(72), "zero": np.zeros(1, np.float32)}
    nodes = [helper.make_node("Constant", [], ["shape"], **said)] if where != "weights" else []
    if where == "weights":
        weights["shape"] = np.array(sides, np.int64)
    nodes += [
        helper.make_node(operator, ["shape"] if operator == "ConstantOfShape" else ["zero", "shape"], ["many"]),
        helper.make_node("ReduceSum", ["many"], ["none"], keepdims=0),
        helper.make_node("Flatten", ["pixels"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["sums"]),
        helper.make_node("Add", ["sums", "none"], ["scores"]),
    ]
    path.write_bytes(graph(nodes, SHAPE, ["N", 3], **weights).SerializeToString())
    return path


@pytest.mark.parametrize("where", ["weights", "value", "value_ints"])
@pytest.mark.parametrize("operator", ["ConstantOfShape", "Expand"])
def test_a_tensor_of_a_gigabyte_is_refused(tmp_path: Path, operator: str, where: str) -> None:
    path = tmp_path / "m.onnx"
    with pytest.raises(ModelLoadError, match=f"makes a tensor of more than 268,435,456 numbers by {operator}"):
        load_model(saved(path, operator, where, [2**14, 2**14 + 1]))
    assert load_model(saved(path, operator, where, [4, 5])).info.format == "onnx"
