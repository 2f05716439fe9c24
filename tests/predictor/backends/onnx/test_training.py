"""A graph that was exported in training mode is refused by the operator that shows it."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from cvserve import Predictor
from cvserve.errors import ModelLoadError
from support.onnx_models import graph, weights_of

SHAPE = ("N", 3, 6, 4)
SENTENCE = (
    "'m.onnx' was exported in training mode ({}), in which answers depend on chance and on company; call model.eval() "
    "before it is exported, or export it for inference."
)


def normalised(training: int) -> ModelProto:
    ones, zeros = np.ones(3, np.float32), np.zeros(3, np.float32)
    outputs = ["normal", "mean", "var"] if training else ["normal"]
    nodes = [
        helper.make_node("BatchNormalization", ["pixels", "s", "b", "m", "v"], outputs, training_mode=training),
        helper.make_node("Flatten", ["normal"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["scores"]),
    ]
    return graph(nodes, SHAPE, ["N", 3], weights=weights_of(72), s=ones, b=zeros, m=zeros, v=ones)


def dropped(training: bool, *, constant: bool) -> ModelProto:
    mode = numpy_helper.from_array(np.array(training), "mode")
    nodes = [
        helper.make_node("Flatten", ["pixels"], ["flat"]),
        helper.make_node("Dropout", ["flat", "ratio", "mode"], ["left"]),
        helper.make_node("MatMul", ["left", "weights"], ["scores"]),
    ]
    if constant:
        nodes.insert(0, helper.make_node("Constant", [], ["mode"], value=mode))
    model = graph(nodes, SHAPE, ["N", 3], weights=weights_of(72), ratio=np.array(0.5, np.float32))
    if not constant:
        model.graph.initializer.append(mode)
    return model


def passed_on(model: ModelProto) -> ModelProto:
    """The same with the mode behind another operator."""
    dropout = next(node for node in model.graph.node if node.op_type == "Dropout")
    dropout.input[2] = "same mode"
    model.graph.node.insert(0, helper.make_node("Identity", ["mode"], ["same mode"]))
    return model


def inside(model: ModelProto) -> ModelProto:
    """The same operators in a branch."""
    body = helper.make_graph(
        list(model.graph.node), "then", [], [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 3])]
    )
    other = helper.make_graph(
        [helper.make_node("Identity", [name], [f"{name}_2"]) for name in ("weights",)],
        "else",
        [],
        [helper.make_tensor_value_info("weights_2", TensorProto.FLOAT, None)],
    )
    branch = helper.make_node("If", ["yes"], ["branched"], then_branch=body, else_branch=other)
    del model.graph.node[:]
    model.graph.node.append(branch)
    model.graph.output[0].name = "branched"
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "yes"))
    return model


def load(folder: Path, model: ModelProto) -> Predictor:
    onnx.save(model, folder / "m.onnx")
    return Predictor.load(folder / "m.onnx")


@pytest.mark.parametrize(
    ("model", "operator"),
    [
        (normalised(1), "BatchNormalization"),
        (dropped(True, constant=True), "Dropout"),
        (dropped(True, constant=False), "Dropout"),
        (passed_on(dropped(True, constant=False)), "Dropout"),
        (inside(dropped(True, constant=False)), "Dropout"),
    ],
    ids=["normalisation", "constant", "weight", "passed on", "in a branch"],
)
def test_training_mode_is_refused(tmp_path: Path, model: ModelProto, operator: str) -> None:
    with pytest.raises(ModelLoadError) as caught:
        load(tmp_path, model)
    assert str(caught.value) == SENTENCE.format(operator)


@pytest.mark.parametrize(
    "model",
    [normalised(0), dropped(False, constant=True), dropped(False, constant=False)],
    ids=["normalisation", "constant", "weight"],
)
def test_evaluation_mode_is_served(tmp_path: Path, model: ModelProto) -> None:
    load(tmp_path, model)
