"""Nothing that stands in a graph is overlooked, wherever it stands."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from cvserve.predictor.backends.onnx.walk import find_constants, list_graphs, list_nodes
from support.onnx_models import graph

VALUE = numpy_helper.from_array(np.array([7.0], np.float32), "value")


def test_operators_of_branches_and_functions_are_listed() -> None:
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, None)
    deep = helper.make_graph([helper.make_node("Abs", ["pixels"], ["scores"])], "deep", [], [scores])
    inner = helper.make_node("If", ["yes"], ["scores"], then_branch=deep, else_branch=deep)
    branch = helper.make_graph([inner], "branch", [], [scores])
    outer = helper.make_node("If", ["yes"], ["scores"], then_branch=branch, else_branch=branch)
    model = graph([outer], ["N", 3], ["N", 3])
    function = helper.make_function(
        "own", "f", ["x"], ["y"], [helper.make_node("Neg", ["x"], ["y"])], [helper.make_opsetid("", 17)]
    )
    model.functions.append(function)
    assert sorted(node.op_type for node in list_nodes(model)) == ["Abs"] * 4 + ["If"] * 3 + ["Neg"]


def test_constants_are_weights_and_what_gives_or_passes_them_on() -> None:
    nodes = [
        helper.make_node("Constant", [], ["made"], value=VALUE),
        helper.make_node("Cast", ["made"], ["passed on"], to=TensorProto.FLOAT),
        helper.make_node("Neg", ["made"], ["computed"]),
    ]
    model = graph(nodes, ["N", 3], ["N", 3], weight=np.ones(3, np.float32))
    assert set(dict(find_constants([model.graph]))) == {"weight", "made", "passed on"}


def test_constants_of_two_functions_may_have_one_name() -> None:
    functions = [
        helper.make_function("own", name, [], ["made"], [helper.make_node("Constant", [], ["made"], value=VALUE)], [])
        for name in ("f", "g")
    ]
    assert [name for name, _ in find_constants(list_graphs(*functions))] == ["made", "made"]
