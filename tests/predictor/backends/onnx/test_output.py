"""Which output holds the scores: found, asked for, or none of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from cvserve import Predictor
from cvserve.errors import ModelLoadError
from support.models import load_model
from support.onnx_models import linear, probabilities

SHAPE = ("N", 3, 6, 4)
PICTURE = np.arange(72, dtype=np.uint8).reshape(6, 4, 3)
TOP_K = r"'m\.onnx' gives only the best scores of a picture and their classes \(top k\).* leave that step out"


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., Path]:
    def save(model: ModelProto, config: str = "") -> Path:
        path = tmp_path / "m.onnx"
        path.write_bytes(model.SerializeToString())
        path.with_suffix(".toml").write_text(config)
        return path

    return save


def replaced(model: ModelProto, *outputs: tuple[str, int, list[Any]]) -> ModelProto:
    """A model with other outputs."""
    del model.graph.output[:]
    model.graph.output.extend(helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in outputs)
    return model


def top_k(model: ModelProto, *, soft_max: bool = False) -> ModelProto:
    model.graph.initializer.append(numpy_helper.from_array(np.array([2]), "k"))
    model.graph.node.append(helper.make_node("TopK", ["scores", "k"], ["best", "places"], axis=1))
    if soft_max:
        model.graph.node.append(helper.make_node("Softmax", ["best"], ["values"], axis=1))
    return model


def with_features(shape: tuple[Any, ...] = SHAPE) -> ModelProto:
    floats = TensorProto.FLOAT
    return replaced(linear(shape), ("flat", floats, [shape[0], 72]), ("scores", floats, [shape[0], 3]))


def test_the_best_scores_and_their_places_are_refused(saved: Callable[..., Path]) -> None:
    best, places = ("best", TensorProto.FLOAT, ["N", 2]), ("places", TensorProto.INT64, ["N", 2])
    for outputs in ((best, places), (places, best), (best,)):
        with pytest.raises(ModelLoadError, match=TOP_K):
            load_model(saved(replaced(top_k(linear(SHAPE)), *outputs)))
    values = ("values", TensorProto.FLOAT, ["N", 2])
    with pytest.raises(ModelLoadError, match=TOP_K):
        load_model(saved(replaced(top_k(linear(SHAPE), soft_max=True), values, places)))


@pytest.mark.parametrize("batch", ["N", 1, 4])
def test_places_by_other_operators_are_found_when_it_is_run(saved: Callable[..., Path], batch: int | str) -> None:
    """What a graph declares of its sizes may be anything."""
    model = linear((batch, 3, 6, 4))
    model.graph.node.append(helper.make_node("Cast", ["scores"], ["places"], to=TensorProto.INT64))
    outputs = ("scores", TensorProto.FLOAT, [batch, 3]), ("places", TensorProto.INT64, ["a", "b"])
    with pytest.raises(ModelLoadError, match=TOP_K):
        load_model(saved(replaced(model, *outputs)))


@pytest.mark.parametrize("batch", ["N", 4])
def test_the_class_beside_the_scores_is_no_matter(saved: Callable[..., Path], batch: int | str) -> None:
    model = linear((batch, 3, 6, 4))
    model.graph.node.append(helper.make_node("ArgMax", ["scores"], ["class"], axis=1, keepdims=0))
    outputs = ("class", TensorProto.INT64, [batch]), ("scores", TensorProto.FLOAT, [batch, 3])
    predictor = Predictor.load(saved(replaced(model, *outputs)))
    assert predictor.predict(PICTURE, top_k=3).result in range(3)


def test_the_scores_beside_their_best_are_taken(saved: Callable[..., Path]) -> None:
    outputs = ("best", TensorProto.FLOAT, ["N", 2]), ("scores", TensorProto.FLOAT, ["N", 3])
    assert len(Predictor.load(saved(replaced(top_k(linear(SHAPE)), *outputs))).predict(PICTURE, top_k=9).top) == 3


@pytest.mark.parametrize("use", ['"scores"', "1"])
def test_of_several_outputs_the_config_says_which(saved: Callable[..., Path], use: str) -> None:
    with pytest.raises(ModelLoadError, match=r"gives 'flat' .*, 'scores' .*cannot be seen which .* \[output\] use = "):
        load_model(saved(with_features()))
    predictor = Predictor.load(saved(with_features(), f"[output]\nuse = {use}"))
    expected = probabilities(PICTURE.transpose(2, 0, 1)[None] / np.float32(255))[0]
    got = predictor.predict(PICTURE, top_k=3)
    assert {entry.index: entry.score for entry in got.top} == pytest.approx(dict(enumerate(expected)), abs=1e-5)


def test_of_several_outputs_the_labels_may_say_which(saved: Callable[..., Path]) -> None:
    predictor = Predictor.load(saved(with_features(), 'labels = ["a", "b", "c"]'))
    assert predictor.predict(PICTURE).label in {"a", "b", "c"}


@pytest.mark.parametrize("use", ['"logits"', "2"])
def test_an_output_that_there_is_not_is_named(saved: Callable[..., Path], use: str) -> None:
    name = use.replace('"', "'")
    with pytest.raises(ModelLoadError, match=rf"has no output {name}, .*; it gives 'flat' .* 'scores'"):
        load_model(saved(with_features(), f"[output]\nuse = {use}"))


def test_the_only_output_may_be_named(saved: Callable[..., Path]) -> None:
    model = load_model(saved(linear(SHAPE), '[output]\nuse = "scores"'))
    assert model.origins["output.scores"] == ("logits", "warm-up")


@pytest.mark.parametrize("shape", [[1, 84, 189], [1, 5, 8, 8]], ids=str)
def test_boxes_and_masks_are_no_scores(saved: Callable[..., Path], shape: list[int]) -> None:
    model = linear((1, 3, 6, 4))
    model.graph.node.append(helper.make_node("ReduceMean", ["scores"], ["mean"], axes=[1], keepdims=0))
    model.graph.initializer.append(numpy_helper.from_array(np.array(shape), "shape"))
    model.graph.node.append(helper.make_node("Expand", ["mean", "shape"], ["boxes"]))
    sizes = r"\[\?, " + ", ".join(map(str, shape[1:])) + r"\]"
    with pytest.raises(ModelLoadError, match=rf"gives {sizes} for pictures, and a classifier gives one score"):
        load_model(saved(replaced(model, ("boxes", TensorProto.FLOAT, list(shape)))))


@pytest.mark.parametrize("operator", ["Identity", "Cast", "Softmax"])
def test_a_graph_that_goes_round_in_a_circle_is_refused(saved: Callable[..., Path], operator: str) -> None:
    model = linear(SHAPE)
    node = helper.make_node(operator, ["round"], ["round"])
    if operator == "Cast":
        node.attribute.append(helper.make_attribute("to", TensorProto.FLOAT))
    model.graph.node.append(node)
    with pytest.raises(ModelLoadError, match="cannot run"):
        load_model(saved(replaced(model, ("round", TensorProto.FLOAT, ["N", 3]))))
