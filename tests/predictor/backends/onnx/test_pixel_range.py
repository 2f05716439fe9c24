"""What a graph does with pixels first tells whether it takes 0…255 or 0…1; where it does not, nothing is claimed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

from cvserve.errors import ModelLoadError
from support.models import load_model
from support.onnx_models import linear

MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
Step = tuple[str, Any]


def begins_with(model: ModelProto, *steps: Step) -> ModelProto:
    """The same network behind some arithmetic."""
    name, made = "pixels", []
    for index, (operator, value) in enumerate(steps):
        inputs = [name]
        if value is not None:
            array = np.asarray(value, np.float32)
            array = array.reshape(1, 3, 1, 1) if array.size == 3 else array
            model.graph.initializer.append(numpy_helper.from_array(array, f"constant {index}"))
            inputs.append(f"constant {index}")
        node = helper.make_node(
            operator.removeprefix("r"), inputs[::-1] if operator[0] == "r" else inputs, [f"step {index}"]
        )
        if operator == "Cast":
            node.attribute.append(helper.make_attribute("to", TensorProto.FLOAT))
        made.append(node)
        name = f"step {index}"
    model.graph.node[0].input[0] = name
    for node in reversed(made):
        model.graph.node.insert(0, node)
    return model


@pytest.fixture
def origin(tmp_path: Path) -> Callable[..., tuple[Any, str]]:
    """Value and origin of `scale`."""

    def load(model: ModelProto) -> Any:
        path = tmp_path / "m.onnx"
        path.write_bytes(model.SerializeToString())
        loaded = load_model(path)
        if loaded.origins["input.scale"][1] == "file":
            assert loaded.origins["input.mean"] == ((0.0,), "file")
            assert loaded.origins["input.std"] == ((1.0,), "file")
            assert "scale" not in loaded.guessed
        return loaded.origins["input.scale"]

    return load


@pytest.fixture
def onnx_with(tmp_path: Path) -> Callable[..., Path]:
    """A graph that begins with some steps, and its `[input]`."""

    def save(steps: list[Step], said: str) -> Path:
        path = tmp_path / "m.onnx"
        path.write_bytes(begins_with(linear(("N", 3, 6, 4)), *steps).SerializeToString())
        path.with_suffix(".toml").write_text(f"[input]\n{said}\n")
        return path

    return save


PIXELS: dict[str, list[Step]] = {
    "x / 255": [("Div", 255)],
    "x * .0039": [("Mul", 1 / 255)],
    "after a cast": [("Cast", None), ("Identity", None), ("Div", [255])],
    "x / 255, imagenet": [("Div", 255), ("Sub", MEAN), ("Div", STD)],
    "imagenet in pixels": [("Sub", MEAN * 255), ("Div", STD * 255)],
    "imagenet in pixels, multiplied": [("Sub", MEAN * 255), ("Mul", 1 / STD / 255)],
    "x / 127.5 - 1": [("Div", 127.5), ("Sub", 1)],
    "x * .0078 + -1": [("Mul", 1 / 127.5), ("Add", -1)],
    "(x - 127.5) / 127.5": [("Sub", 127.5), ("Div", 127.5)],
    "1 - x / 255": [("Div", 255), ("rSub", 1)],
    "the mean of Caffe": [("Sub", [104, 117, 124])],
}
UNIT: dict[str, list[Step]] = {
    "imagenet": [("Sub", MEAN), ("Div", STD)],
    "(x - .5) / .5": [("Sub", 0.5), ("Div", 0.5)],
    "2x - 1": [("Mul", 2), ("Sub", 1)],
    "x - .5": [("Sub", 0.5)],
    "grey": [("Sub", 0.1307), ("Div", 0.3081)],
}
UNKNOWN: dict[str, list[Step]] = {
    "nothing": [],
    "identity": [("Identity", None)],
    "x / 16": [("Div", 16)],
    "x / 2": [("Div", 2)],
    "x * 255": [("Mul", 255)],
    "x * 0": [("Mul", 0)],
    "x / 0": [("Div", 0)],
    "1 / x": [("rDiv", 1)],
    "nan": [("Add", np.nan)],
    "abs": [("Abs", None), ("Div", 255)],
}


@pytest.mark.parametrize("steps", PIXELS.values(), ids=PIXELS)
def test_a_graph_that_scales_pixels_itself_gets_them_as_they_are(origin: Callable[..., Any], steps: list[Step]) -> None:
    assert origin(begins_with(linear(("N", 3, 6, 4)), *steps)) == (1.0, "file")


@pytest.mark.parametrize("steps", UNIT.values(), ids=UNIT)
def test_a_graph_that_only_normalises_gets_0_to_1(origin: Callable[..., Any], steps: list[Step]) -> None:
    assert origin(begins_with(linear(("N", 3, 6, 4)), *steps)) == (1 / 255, "file")


@pytest.mark.parametrize("steps", UNKNOWN.values(), ids=UNKNOWN)
def test_what_cannot_be_told_stays_a_guess(
    origin: Callable[..., Any], steps: list[Step], request: pytest.FixtureRequest
) -> None:
    model = begins_with(linear(("N", 3, 6, 4)), *steps)
    if {"x / 0", "1 / x", "nan"} & {request.node.callspec.id}:
        from cvserve.predictor.backends.onnx.pixel_range import find_pixel_range

        assert find_pixel_range(model.graph) is None
    else:
        assert origin(model) == (1 / 255, "guessed")


def test_pixels_that_are_used_twice_tell_nothing(origin: Callable[..., Any]) -> None:
    model = begins_with(linear(("N", 3, 6, 4)), ("Div", 255))
    model.graph.node.append(helper.make_node("Flatten", ["pixels"], ["other"]))
    assert origin(model)[1] == "guessed"


def test_a_constant_may_come_from_an_operator(origin: Callable[..., Any]) -> None:
    model = begins_with(linear(("N", 6, 4, 3)), ("Div", 255))
    weights: NDArray[Any] = numpy_helper.to_array(model.graph.initializer.pop())
    value = numpy_helper.from_array(weights.astype(np.float64), "value")
    model.graph.node.insert(0, helper.make_node("Cast", ["made"], ["constant 0"], to=TensorProto.FLOAT))
    model.graph.node.insert(0, helper.make_node("Constant", [], ["made"], value=value))
    assert origin(model) == (1.0, "file")


def test_a_config_comes_first(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(begins_with(linear(("N", 3, 6, 4)), ("Div", 255)).SerializeToString())
    path.with_suffix(".toml").write_text("[input]\nscale = 0.5\n")
    assert load_model(path).origins["input.scale"] == (0.5, "model.toml")


IMAGENET = f"mean = {MEAN.tolist()}\nstd = {STD.tolist()}\n"
DIVIDES: list[Step] = [("Div", 255)]
CAFFE: list[Step] = [("Sub", [103.939, 116.779, 123.68])]
# What the graph does, what model.toml says, and what is said of both.
TWICE: dict[str, tuple[list[Step], str, str]] = {
    "scale": (
        DIVIDES,
        f"scale = {1 / 255}",
        "'m.onnx' divides by 255 itself, and m.toml says scale = 0.00392157: the pixels would be scaled twice, to 0…1 "
        "in place of 0…255; write scale = 1.0.",
    ),
    "preset": (
        DIVIDES,
        'preset = "imagenet"\nresize = "stretch"',
        "'m.onnx' divides by 255 itself, and m.toml says preset \"imagenet\": the pixels would be scaled twice, to "
        "-2.12…2.64 in place of 0…255; write scale = 1.0 and mean = 0.0 and std = 1.0 beside it.",
    ),
    "normalised twice": (
        [("Sub", MEAN), ("Div", STD)],
        IMAGENET,
        "'m.onnx' normalises pixels of 0…1 itself, and m.toml says mean = [0.485, 0.456, 0.406] and std = [0.229, "
        "0.224, 0.225]: the pixels would be -2.12…2.64 in place of 0…1; write mean = 0.0 and std = 1.0.",
    ),
    "not scaled": (
        [("Sub", 0.5), ("Div", 0.5)],
        "scale = 1",
        "'m.onnx' normalises pixels of 0…1 itself, and m.toml says scale = 1: the pixels would be 0…255 in place of "
        "0…1; write scale = 0.00392156862745098.",
    ),
    "Caffe twice": (
        CAFFE,
        'preset = "caffe"',
        "'m.onnx' subtracts 103.939, 116.779, 123.68 itself, and m.toml says preset \"caffe\": the pixels would be "
        "-124…151 in place of 0…255; write mean = 0.0 beside it.",
    ),
}


@pytest.mark.parametrize(("steps", "said", "words"), TWICE.values(), ids=TWICE)
def test_who_scales_pixels_that_the_graph_scales_is_warned_and_has_the_last_word(
    onnx_with: Callable[..., Path], caplog: pytest.LogCaptureFixture, steps: list[Step], said: str, words: str
) -> None:
    loaded = load_model(onnx_with(steps, said))
    assert caplog.messages == [words]
    origin = loaded.origins["input.mean" if "Caffe" in words or "mean = [" in words else "input.scale"][1]
    assert origin in ("model.toml", 'preset "imagenet"', 'preset "caffe"')
    cure = words.partition("; write ")[2].removesuffix(" beside it.").removesuffix(".").replace(" and ", "\n")
    caplog.clear()
    beside = "" if "preset" not in said else f"{said}\n"
    load_model(onnx_with(steps, f"{beside}{cure}"))
    assert not caplog.messages


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        (DIVIDES, "scale = 1"),
        (DIVIDES, "scale = 0.996"),
        (DIVIDES, "scale = 1\nmean = 0\nstd = [1, 1, 1]"),
        (DIVIDES, "scale = -1\nmean = -255"),
        (DIVIDES, 'resize = "crop"'),
        ([("Sub", MEAN), ("Div", STD)], f"scale = {1 / 256}"),
        ([("Abs", None), ("Div", 255)], f"scale = {1 / 255}"),
        ([], 'preset = "imagenet"'),
    ],
    ids=["as the graph", "nearly", "all three", "inverted", "something else", "1/256", "other steps", "no steps"],
)
def test_nobody_is_warned_who_says_what_the_graph_takes(
    onnx_with: Callable[..., Path], caplog: pytest.LogCaptureFixture, steps: list[Step], said: str
) -> None:
    load_model(onnx_with(steps, said))
    assert not caplog.messages


def test_numbers_in_the_wrong_unit_are_refused_by_what_the_graph_does(onnx_with: Callable[..., Path]) -> None:
    with pytest.raises(ModelLoadError) as caught:
        load_model(onnx_with(DIVIDES, IMAGENET))
    assert str(caught.value).startswith("'m.onnx' divides by 255 itself, and m.toml says mean = [0.485, 0.456, 0.406]")
    assert str(caught.value).endswith("; write mean = 0.0 and std = 1.0.")
