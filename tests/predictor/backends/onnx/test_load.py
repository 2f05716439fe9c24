"""ONNX files from every side: what they say of their input, what they answer, and what is refused while loading."""

import contextlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper
from PIL import Image
from skl2onnx import to_onnx
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from cvserve import Predictor
from cvserve.errors import ModelLoadError
from cvserve.predictor.predictor import LoadedPredictor
from support.models import load_model
from support.onnx_models import graph, linear, probabilities, weights_of

IRIS = Path(onnxruntime.__file__).parent / "datasets/logreg_iris.onnx"


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., Path]:
    """Writes a model and its `model.toml`."""

    def save(model: ModelProto | bytes, config: str = "") -> Path:
        path = tmp_path / "m.onnx"
        path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
        path.with_suffix(".toml").write_text(config)
        return path

    return save


@pytest.fixture(scope="session")
def pictures() -> list[NDArray[Any]]:
    """Colour pictures that are alike in nothing."""
    return list(np.random.default_rng(2).integers(0, 256, (7, 6, 4, 3), dtype=np.uint8))


def answers(predictor: LoadedPredictor, pictures: list[NDArray[Any]]) -> NDArray[Any]:
    """All scores, in the order of the classes."""
    count = len(predictor.predict(pictures[0], top_k=99).top)
    rows = np.zeros((len(pictures), count))
    for row, answer in zip(rows, predictor.predict_batch(pictures, top_k=count), strict=True):
        for entry in answer.top:
            row[entry.index] = entry.score
    return rows


def prepared(predictor: LoadedPredictor, pictures: list[NDArray[Any]]) -> NDArray[Any]:
    return np.stack([np.asarray(predictor.model.preparation.prepare(image(predictor, pixels))) for pixels in pictures])


def image(predictor: LoadedPredictor, pixels: NDArray[Any]) -> Image.Image:
    from PIL import Image

    return Image.fromarray(pixels).convert(predictor.want().mode)


SHAPES = [
    ("N", 3, 6, 4),
    ("N", 6, 4, 3),
    ("N", 1, 6, 4),
    ("N", 6, 4, 1),
    ("N", 6, 4),
    (None, 72),
    (1, 3, 6, 4),
    (3, 6, 4, 3),
    (16, 72),
]


@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_scores_are_those_of_the_graph(
    saved: Callable[..., Path], pictures: list[NDArray[Any]], shape: tuple[str | int | None, ...], dtype: str
) -> None:
    model = linear(shape, dtype=dtype)
    config = "[input]\nsize = [4, 6]" if len(shape) == 2 else ""
    config += "\nscale = 0.05\n" if dtype == "uint8" and config else "[input]\nscale = 0.05\n" * (dtype == "uint8")
    predictor = Predictor.load(saved(model, config))
    batch = prepared(predictor, pictures)
    assert batch.dtype == dtype
    assert np.allclose(answers(predictor, pictures), probabilities(batch), atol=1e-5 if dtype != "float16" else 2e-3)


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        (("N", 3, 6, 4), {"size": (4, 6), "layout": "NCHW", "mode": ("RGB", "guessed")}),
        (("N", 1, 6, 4), {"size": (4, 6), "layout": "NCHW", "mode": "L"}),
        (("N", 6, 4, 3), {"size": (4, 6), "layout": "NHWC", "mode": ("RGB", "guessed")}),
        (("N", 6, 4, 1), {"size": (4, 6), "layout": "NHWC", "mode": "L"}),
        (("N", 6, 4), {"size": (4, 6), "layout": "NHWC", "mode": "L"}),
        (("N", 64), {"size": ((8, 8), "guessed"), "layout": "flat", "mode": "L"}),
        (("N", 192), {"size": ((8, 8), "guessed"), "layout": "flat", "mode": ("RGB", "guessed")}),
    ],
    ids=str,
)
def test_what_the_shape_says_is_from_the_file(
    saved: Callable[..., Path], shape: tuple[str | int, ...], said: dict[str, Any]
) -> None:
    model = load_model(saved(linear(shape)))
    for key, value in said.items():
        assert model.origins[f"input.{key}"] == (value if "guessed" in value else (value, "file"))
    assert model.origins["input.dtype"] == ("float32", "file")
    assert {"scale", "resize"} <= set(model.guessed)
    assert model.origins["opset"] == (17, "file")


def test_whole_numbers_are_pixels_as_they_are(saved: Callable[..., Path]) -> None:
    model = load_model(saved(linear(("N", 6, 4, 3), dtype="uint8")))
    assert model.origins["input.scale"] == (1.0, "file")
    assert "scale" not in model.guessed


@pytest.mark.parametrize(
    ("shape", "channels_last"), [(("N", 3, "H", "W"), False), (("N", None, None, 3), True), (("N", 1, "H", 4), False)]
)
def test_a_free_size_is_what_the_config_says(
    saved: Callable[..., Path],
    pictures: list[NDArray[Any]],
    shape: tuple[str, int | None, str | None, str | int],
    channels_last: bool,
) -> None:
    model = linear(shape)
    with pytest.raises(ModelLoadError, match=r"does not say how large its pictures are; write into m\.toml: \[input\]"):
        load_model(saved(model))
    predictor = Predictor.load(saved(model, "[input]\nsize = [4, 6]"))
    batch = prepared(predictor, pictures)
    assert batch.shape[1:] == ((6, 4, 3) if channels_last else (shape[1], 6, 4))
    expected = probabilities(batch, is_free=True, channels_last=channels_last)
    assert np.allclose(answers(predictor, pictures), expected, atol=1e-5)


def test_where_everything_is_free_the_layout_is_a_guess(saved: Callable[..., Path]) -> None:
    nodes = [
        helper.make_node("ReduceMean", ["pixels"], ["means"], axes=[2, 3], keepdims=0),
        helper.make_node("Identity", ["means"], ["scores"]),
    ]
    model = load_model(saved(graph(nodes, ("N", None, None, None), ("N", 3)), "[input]\nsize = [4, 6]"))
    assert model.origins["input.layout"] == ("NCHW", "guessed")
    assert model.guessed == ("size",) or "layout" in model.guessed


@pytest.mark.parametrize(
    ("shape", "config", "text"),
    [
        (("N", 3, 6, 4), "size = [8, 8]", r"m\.toml says size = \(8, 8\), but 'm\.onnx' takes \(4, 6\)"),
        (("N", 3, 6, 4), 'dtype = "uint8"', r"m\.toml says dtype = 'uint8', but 'm\.onnx' takes 'float32'"),
        (("N", 3, 6, 4), 'layout = "NHWC"', r"m\.toml says layout = 'NHWC', but 'm\.onnx' takes 'NCHW'"),
        (("N", 1, 6, 4), 'mode = "RGB"', r"m\.toml says mode = 'RGB', but 'm\.onnx' takes 'L'"),
        (("N", 3, 6, 4), 'mode = "L"', r"'m\.onnx' takes 72 values, but \[input\] in m\.toml gives 24"),
        (("N", 3, "H", "W"), 'size = [4, 6]\nmode = "L"', r"takes pictures of shape \[3, \?, \?\], but .* \[1, 6, 4\]"),
        (("N", 3, "H", 4), "size = [5, 6]", r"takes pictures of shape \[3, \?, 4\], but .* gives \[3, 6, 5\]"),
        (("N", 72), "size = [8, 8]", r"takes 72 values, but \[input\] in m\.toml gives 64 \(grey\) or 192"),
        (("N", 72), "", "takes 72 values, which make no square picture"),
    ],
    ids=str,
)
def test_a_contradiction_names_both(
    saved: Callable[..., Path], shape: tuple[str | int, ...], config: str, text: str
) -> None:
    with pytest.raises(ModelLoadError, match=text):
        load_model(saved(linear(shape), f"[input]\n{config}\n"))


@pytest.mark.parametrize("shape", [("N", 3, 6, 4), (4, 3, 6, 4), ("N", 3, "H", "W")], ids=str)
def test_another_number_of_labels_is_told_while_loading(
    saved: Callable[..., Path], shape: tuple[str | int, int, int | str, int | str]
) -> None:
    config = 'labels = ["a", "b"]\n[input]\nsize = [4, 6]'
    with pytest.raises(ModelLoadError, match=r"m\.toml has 2 labels, but 'm\.onnx' knows 3 classes"):
        load_model(saved(linear(shape), config))


def test_probabilities_and_logits_are_distinguished(saved: Callable[..., Path], pictures: list[NDArray[Any]]) -> None:
    for soft_max in (True, False):
        predictor = Predictor.load(saved(linear(("N", 3, 6, 4), soft_max=soft_max)))
        assert predictor.scores == ("probabilities" if soft_max else "logits")
        expected = probabilities(prepared(predictor, pictures))
        assert np.allclose(answers(predictor, pictures), expected, atol=1e-5)


def test_scores_with_dimensions_of_one_behind_them(saved: Callable[..., Path], pictures: list[NDArray[Any]]) -> None:
    model = linear(("N", 3, 6, 4))
    model.graph.node[-1].output[0] = "sums"
    model.graph.node.append(helper.make_node("Unsqueeze", ["sums", "axes"], ["scores"]))
    model.graph.initializer.append(numpy_helper.from_array(np.array([2, 3]), "axes"))
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 3, 1, 1]))
    predictor = Predictor.load(saved(model))
    expected = probabilities(prepared(predictor, pictures))
    assert np.allclose(answers(predictor, pictures), expected, atol=1e-5)


CLASSES: dict[str, list[Any]] = {"numbers": [3, 5, 7], "texts": ["cat", "dog", "ü"], "as they are": [0, 1, 2]}


# skl2onnx looks at attributes that scikit-learn is about to drop.
@pytest.mark.filterwarnings("ignore:Attribute `prob:FutureWarning")
@pytest.mark.parametrize("zipmap", [True, False])
@pytest.mark.parametrize("names", sorted(CLASSES))
@pytest.mark.parametrize("estimator", [LogisticRegression(max_iter=500), SVC()], ids=["logistic", "svc"])
def test_what_skl2onnx_makes_answers_as_the_estimator(
    saved: Callable[..., Path],
    digits: tuple[NDArray[Any], NDArray[Any]],
    square: NDArray[Any],
    estimator: Any,
    names: str,
    zipmap: bool,
) -> None:
    rows, classes = digits[0].astype(np.float32), np.array(CLASSES[names])[digits[1] % 3]
    fitted = estimator.fit(rows, classes)
    made = to_onnx(fitted, rows[:1], options={id(fitted): {"zipmap": zipmap}})
    assert any(node.op_type == "ZipMap" for node in made.graph.node) == zipmap
    predictor = Predictor.load(saved(made, '[input]\nscale = 0.0625\nresize = "exact"'))
    assert predictor.labels == tuple(str(name) for name in CLASSES[names])
    shown = [(row * 16).astype(np.uint8).reshape(8, 8) for row in rows[:20]]
    got = predictor.predict_batch(shown, top_k=3)
    assert [answer.label for answer in got] == [str(name) for name in fitted.predict(rows[:20])]
    if hasattr(fitted, "predict_proba"):
        assert predictor.scores == "probabilities"
        assert np.allclose(answers(predictor, shown), fitted.predict_proba(rows[:20]), atol=1e-5)


def test_labels_of_a_network_are_found_behind_its_arg_max(
    saved: Callable[..., Path], digits: tuple[NDArray[Any], NDArray[Any]]
) -> None:
    from sklearn.neural_network import MLPClassifier

    fitted = MLPClassifier((4,), solver="lbfgs", alpha=1, max_iter=9000, random_state=0).fit(
        digits[0], np.array(["x", "y", "z"])[digits[1] % 3]
    )
    made = to_onnx(fitted, digits[0][:1].astype(np.float32), options={id(fitted): {"zipmap": False}})
    assert load_model(saved(made)).labels == ("x", "y", "z")


def test_the_flowers_of_onnx_runtime_are_served_three_at_a_time(saved: Callable[..., Path]) -> None:
    path = saved(IRIS.read_bytes())
    with pytest.raises(ModelLoadError, match="takes 2 values, which make no square picture"):
        load_model(path)
    predictor = Predictor.load(saved(IRIS.read_bytes(), '[input]\nsize = [2, 1]\nmode = "L"\nscale = 0.05'))
    assert predictor.model.origins["batch"] == ("3 at a time", "file")
    assert predictor.labels == ("0", "1", "2")
    flowers = list(np.random.default_rng(3).integers(0, 160, (7, 1, 2), dtype=np.uint8))
    session = onnxruntime.InferenceSession(IRIS, providers=["CPUExecutionProvider"])
    batch = prepared(predictor, flowers)
    name = session.get_inputs()[0].name
    expected = [row for start in (0, 3, 4) for row in session.run(None, {name: batch[start : start + 3]})[1]]
    expected = [*expected[:6], expected[8]]
    assert np.allclose(answers(predictor, flowers), [[row[index] for index in range(3)] for row in expected], atol=1e-5)


def over_the_batch(batch: int | str) -> ModelProto:
    """A soft-max over the wrong axis: what a picture gets depends on its company."""
    model = linear((batch, 3, 6, 4))
    model.graph.node[-1].output[0] = "sums"
    model.graph.node.append(helper.make_node("Softmax", ["sums"], ["scores"], axis=0))
    return model


def traced_with_one(batch: int | str) -> ModelProto:
    """A shape that was fixed when the graph was traced."""
    model = linear((batch, 3, 6, 4))
    model.graph.node[1].CopyFrom(helper.make_node("Reshape", ["x", "shape"], ["flat"]))
    model.graph.initializer.append(numpy_helper.from_array(np.array([1, 72]), "shape"))
    return model


@pytest.mark.parametrize("make", [over_the_batch, traced_with_one])
def test_a_graph_that_mixes_its_batch_is_asked_one_by_one(
    saved: Callable[..., Path], pictures: list[NDArray[Any]], make: Callable[..., Any]
) -> None:
    predictor = Predictor.load(saved(make("N"), '[output]\nscores = "logits"\n'))
    alone = [answers(predictor, [picture])[0] for picture in pictures]
    assert np.allclose(answers(predictor, pictures), alone, atol=1e-6)


def test_a_graph_that_fails_fails_in_silence(saved: Callable[..., Path], capfd: pytest.CaptureFixture[str]) -> None:
    predictor = Predictor.load(saved(traced_with_one("N")))
    with pytest.raises(Exception, match="INVALID_ARGUMENT"):
        predictor.model.backend.infer(np.zeros((1, 3, 9, 9), np.float32))
    assert capfd.readouterr() == ("", "")


def test_a_graph_that_mixes_a_fixed_batch_is_refused(saved: Callable[..., Path]) -> None:
    with pytest.raises(ModelLoadError, match="takes 4 pictures at a time and mixes them"):
        load_model(saved(over_the_batch(4)))


def test_a_file_cut_off_anywhere_is_no_model(saved: Callable[..., Path]) -> None:
    whole = linear(("N", 3, 6, 4)).SerializeToString()
    for size in range(1, len(whole), 7):
        with pytest.raises(ModelLoadError):
            load_model(saved(whole[:size]))


def test_a_damaged_file_is_our_error_or_a_model(saved: Callable[..., Path], capfd: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(6)
    whole = linear(("N", 3, 6, 4)).SerializeToString()
    for _ in range(300):
        data = bytearray(whole)
        for place in random.integers(3, len(whole), random.choice([1, 3, 10])):
            data[place] = random.integers(256)
        with contextlib.suppress(ModelLoadError):
            load_model(saved(bytes(data)))
    assert capfd.readouterr() == ("", "")


def test_names_in_a_strangers_file_are_safe_to_print(saved: Callable[..., Path]) -> None:
    model = linear(("N", 3, 6, 4))
    model.producer_name = "a\x1b[2Jb"
    assert load_model(saved(model)).origins["producer"] == ("a\\x1b[2Jb", "file")
    model = with_two_inputs(model, "c\x1b[2Jd")
    with pytest.raises(ModelLoadError, match=r"takes 2 inputs \('pixels', 'c\\x1b\[2Jd'\)"):
        load_model(saved(model))


def with_opset(model: ModelProto, version: int) -> ModelProto:
    model.opset_import[0].version = version
    return model


def with_ir(model: ModelProto, version: int) -> ModelProto:
    model.ir_version = version
    return model


def of_a_stranger(model: ModelProto) -> ModelProto:
    model.graph.node[-1].domain = "com.example"
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    return model


def with_two_inputs(model: ModelProto, name: str = "state") -> ModelProto:
    model.graph.input.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]))
    model.graph.node[-1].output[0] = "sums"
    model.graph.node.append(helper.make_node("Add", ["sums", name], ["scores"]))
    return model


def test_inputs_that_nothing_takes_are_none(saved: Callable[..., Path], pictures: list[NDArray[Any]]) -> None:
    """`tf2onnx` leaves some behind."""
    model = linear(PICTURE)
    model.graph.input.append(helper.make_tensor_value_info("unused", TensorProto.FLOAT, [1]))
    predictor = Predictor.load(saved(model))
    expected = probabilities(prepared(predictor, pictures))
    assert np.allclose(answers(predictor, pictures), expected, atol=1e-5)


def with_two_outputs(model: ModelProto) -> ModelProto:
    model.graph.output.append(helper.make_tensor_value_info("flat", TensorProto.FLOAT, ["N", 72]))
    return model


def with_classes_only(model: ModelProto) -> ModelProto:
    model.graph.node[-1].output[0] = "sums"
    model.graph.node.append(helper.make_node("ArgMax", ["sums"], ["scores"], axis=1, keepdims=0))
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("scores", TensorProto.INT64, ["N"]))
    return model


def without_an_end(model: ModelProto) -> ModelProto:
    """NaN for every picture."""
    model.graph.node[-1].output[0] = "sums"
    model.graph.node.append(helper.make_node("Sqrt", ["minus"], ["root"]))
    model.graph.node.append(helper.make_node("Add", ["sums", "root"], ["scores"]))
    model.graph.initializer.append(numpy_helper.from_array(np.array(-1, np.float32), "minus"))
    return model


def huge(*shape: int | str) -> ModelProto:
    """A small file that wants more memory than there is."""
    means = helper.make_node("ReduceMean", ["pixels"], ["scores"], axes=[2, 3], keepdims=0)
    return graph([means], shape, (shape[0], 3))


PICTURE = ("N", 3, 6, 4)
REFUSED = [
    (lambda: with_opset(linear(PICTURE), 99), r"cannot run 'm\.onnx' \(opset 99, IR version 8\).*newer onnxruntime"),
    (lambda: with_ir(linear(PICTURE), 99), r"cannot run 'm\.onnx' \(opset 17, IR version 99\)"),
    (lambda: of_a_stranger(linear(PICTURE)), r"uses operators of 'com\.example', which ONNX Runtime does not have"),
    (lambda: with_two_inputs(linear(PICTURE)), r"takes 2 inputs \('pixels', 'state'\)"),
    (
        lambda: with_two_outputs(linear(PICTURE)),
        r"gives 'scores' \[N, 3\], 'flat' \[N, 72\], and it cannot be seen which",
    ),
    (
        lambda: with_classes_only(linear(PICTURE)),
        r"gives 'scores' tensor\(int64\); a classifier gives an output of floats",
    ),
    (
        lambda: linear(PICTURE, classes=1),
        "gives one number for a picture, that of the second of two classes; say",
    ),
    (lambda: linear(("N", 4, 6, 5)), r"takes arrays of shape \[\?, 4, 6, 5\]; pictures are given as"),
    (lambda: linear(("N", 3, 2, 6, 4)), r"takes arrays of shape \[\?, 3, 2, 6, 4\]"),
    (lambda: huge("N", 3, 10**6, 10**6), r"shape \[\?, 3, 1000000, 1000000\], over 67,108,864 values in one run"),
    (lambda: huge(10**9, 3, 6, 4), "over 67,108,864 values in one run"),
    (lambda: linear((3, 6, 4)), r"takes arrays of shape \[3, 6, 4\]"),
    (lambda: linear(PICTURE, dtype="bfloat16"), r"takes values of type tensor\(bfloat16\)"),
    (lambda: without_an_end(linear(PICTURE)), "gives a grey picture a score that is not a finite number"),
    (lambda: b"\x08\x08\x12\x04test", "holds no whole ONNX graph"),
]


@pytest.mark.parametrize(("make", "text"), REFUSED, ids=[text[:40] for _, text in REFUSED])
def test_what_cannot_be_served_is_refused_by_name(
    saved: Callable[..., Path], make: Callable[..., Any], text: str
) -> None:
    with pytest.raises(ModelLoadError, match=text) as refused:
        load_model(saved(make()))
    assert "onnxruntime_src" not in str(refused.value)


@pytest.mark.parametrize("kind", ["logits", "probabilities"])
def test_one_number_is_that_of_the_second_of_two_classes(
    saved: Callable[..., Path], pictures: list[NDArray[Any]], kind: str
) -> None:
    model = linear(PICTURE, classes=1)
    if kind == "probabilities":
        model.graph.node[-1].output[0] = "sums"
        model.graph.node.append(helper.make_node("Sigmoid", ["sums"], ["scores"]))
    config = f'labels = ["cat", "dog"]\n[output]\nscores = "{kind}"'
    predictor = Predictor.load(saved(model, config))
    batch = prepared(predictor, pictures)
    sums = batch.reshape(len(batch), -1).astype(np.float64) @ weights_of(batch[0].size, 1)
    dog = 1 / (1 + np.exp(-sums))
    assert np.abs(answers(predictor, pictures) - np.concatenate([1 - dog, dog], axis=1)).max() < 1e-5
    assert predictor.labels == ("cat", "dog")
    assert Predictor.load(saved(model, f'[output]\nscores = "{kind}"')).warm_up().labels == ("0", "1")


def test_one_number_with_other_labels_than_two_is_refused(saved: Callable[..., Path]) -> None:
    config = 'labels = ["cat", "dog", "mouse"]\n[output]\nscores = "logits"'
    with pytest.raises(ModelLoadError, match=r"has 3 labels, but 'm\.onnx' knows 2 classes"):
        load_model(saved(linear(PICTURE, classes=1), config))


def test_one_number_that_is_no_probability_is_refused(saved: Callable[..., Path]) -> None:
    model = linear(PICTURE, classes=1)
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.full((72, 1), 9, np.float32), "weights"))
    with pytest.raises(ModelLoadError, match="outside of 0 to 1 as a probability; perhaps it is a logit"):
        load_model(saved(model, '[output]\nscores = "probabilities"'))


def test_class_only_scores_are_refused(saved: Callable[..., Path]) -> None:
    with pytest.raises(ModelLoadError, match='says scores = "labels"'):
        load_model(saved(linear(PICTURE), '[output]\nscores = "labels"'))


def run(code: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    import os

    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", **environment},
    )  # fmt: skip


@pytest.mark.parametrize("package", ["onnxruntime", "onnx"])
def test_a_missing_extra_says_what_to_install(saved: Callable[..., Path], package: str) -> None:
    path = saved(linear(PICTURE))
    code = f"import sys; sys.modules[{package!r}] = None\nfrom cvserve import Predictor\nPredictor.load('m.onnx')"
    ended = run(code, path.parent)
    assert "run: pip install 'cvserve[onnx]'" in ended.stderr.splitlines()[-1]


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_session_starts_no_threads_says_nothing_and_lives_on_in_a_fork(saved: Callable[..., Path]) -> None:
    """Also none that reports to the library's maker."""
    path = saved(linear(PICTURE))
    code = """
import os
from cvserve import Predictor
import numpy as np
predictor = Predictor.load("m.onnx")
picture = np.arange(72, dtype=np.uint8).reshape(6, 4, 3)
before = predictor.predict(picture)
threads = len(os.listdir("/proc/self/task"))
child = os.fork()
if not child:
    os._exit(0 if predictor.predict(picture).top == before.top else 1)
print(threads, os.waitpid(child, 0)[1])
"""
    ended = run(code, path.parent, OMP_NUM_THREADS="1")
    assert (ended.stdout, ended.stderr) == ("1 0\n", "")
    more = run(code.split("child =", maxsplit=1)[0] + "print(threads)", path.parent, OMP_NUM_THREADS="3")
    assert more.stdout == "3\n"
