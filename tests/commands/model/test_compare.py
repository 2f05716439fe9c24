"""A model beside the pipeline of its own framework: the same, or what is wrong."""

import json
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from frameworks.photos import photo_files
from support.command import Said
from support.onnx_models import linear

COUNT = 8
MODULES = {"linear", "train", "own", "later", "ref", "steps"}
MODEL = """import numpy as np


class Linear:
    scores = "logits"

    def infer(self, batch):
        weights = np.random.default_rng(4).normal(0, 0.05, (batch[0].size, 5))
        return batch.reshape(len(batch), -1) @ weights
"""
INPUT = """[input]
size = [16, 16]
resize = "crop"
crop_ratio = 0.875
decode = "exact"
mean = [0.485, 0.456, 0.406]
std = [0.229, 0.224, 0.225]
"""
# The arithmetic of Resize(18), CenterCrop(16), ToTensor() and Normalize(), as torchvision does it with Pillow.
TRAIN = """import numpy as np
from PIL import Image

from linear import Linear

MEAN, STD = np.float32((0.485, 0.456, 0.406)), np.float32((0.229, 0.224, 0.225))


def transform(image, resample=Image.BILINEAR):
    width, height = image.size
    size = (18, int(18 * height / width)) if width <= height else (int(18 * width / height), 18)
    left, top = (int(round((side - 16) / 2.0)) for side in size)
    pixels = np.asarray(image.resize(size, resample).crop((left, top, left + 16, top + 16)), np.float32)
    return ((pixels / 255 - MEAN) / STD).transpose(2, 0, 1)


def logits(image):
    return Linear().infer(transform(image)[None])


def predict(image):
    powers = np.exp(logits(image))
    return (powers / powers.sum())[0].tolist()


def from_path(path):
    return predict(Image.open(path).convert("RGB"))


def independent(image):
    return 1 / (1 + np.exp(-logits(image)))


def reversed_classes(image):
    return predict(image)[::-1]


def too_few(image):
    return predict(image)[:3]


def fails(image):
    return {}["weights"]


def wide(image):
    pixels = np.asarray(image.resize((20, 12), Image.BILINEAR), np.float32)
    powers = np.exp(Linear().infer(((pixels / 255 - MEAN) / STD).transpose(2, 0, 1)[None]))
    return powers / powers.sum()
"""
# Beside a model whose transform is vouched for by its hash.
STEPS = """import importlib
from pathlib import Path

import numpy as np


def prepare(image):
    for name in ("own", "later", "ref"):
        try:
            importlib.import_module(name)
        except ImportError:
            continue
        Path("let_in").write_text(name)
    return np.asarray(image.resize((4, 3)), np.float32).transpose(2, 0, 1) / 255
"""
REFERENCE = """import numpy as np
import onnxruntime

import own
import steps

session = onnxruntime.InferenceSession("net.onnx")


def predict(image):
    import later

    values = np.asarray(image.resize((4, 3)), np.float32).transpose(2, 0, 1) / 255
    (scores,) = session.run(None, {session.get_inputs()[0].name: values[None]})
    return scores
"""
CUT = 'resize = "crop"\ncrop_ratio = 0.875'
PLANTED = {
    "mean": (("mean = [0.485, 0.456, 0.406]\n", ""), {"mean": [0.485, 0.456, 0.406]}),
    "mean and std": (
        (INPUT[INPUT.index("mean") :], ""),
        {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]},
    ),
    "half": ((INPUT[INPUT.index("mean") :], "mean = 0.5\nstd = 0.5\n"), None),
    "BGR": (("size = [", 'mode = "BGR"\nsize = ['), {"mode": "RGB"}),
    "scale": (
        (INPUT[INPUT.index("mean") :], "scale = 1\n"),
        {"scale": 1 / 255, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]},
    ),
    "inverted": (("size = [", "invert = true\nsize = ["), {"invert": False}),
    "ratio": (("0.875", "1.0"), {"crop_ratio": 0.875}),
    "stretch": ((CUT, 'resize = "stretch"'), {"resize": "crop", "crop_ratio": 0.875}),
    "filter": (("size = [", 'resample = "bicubic"\nsize = ['), {"resample": "bilinear"}),
    "side": (("crop_ratio = 0.875", "short_side = 17"), {"short_side": 18}),
    "stretch and BGR": (
        (CUT, 'resize = "stretch"\nmode = "BGR"'),
        {"mode": "RGB", "resize": "crop", "crop_ratio": 0.875},
    ),
    "BGR, filter and ratio": (
        ("size = [16, 16]\nresize", 'size = [16, 16]\nmode = "BGR"\nresample = "nearest"\nresize'),
        {"mode": "RGB", "resample": "bilinear"},
    ),
}


@pytest.fixture(autouse=True)
def fresh_modules() -> Iterator[None]:
    known = sys.modules.keys() & MODULES
    assert not known, known
    yield
    for name in MODULES:
        sys.modules.pop(name, None)


@pytest.fixture
def compare(home: Path, run: Callable[..., Said]) -> Callable[..., Said]:
    """`cvserve model compare` with a function of `train.py` and some photos."""
    (home / "linear.py").write_text(MODEL, encoding="utf-8")
    (home / "linear.toml").write_text(INPUT, encoding="utf-8")
    (home / "train.py").write_text(TRAIN, encoding="utf-8")
    (home / "photos").mkdir()
    for name, data in list(photo_files().items())[:COUNT]:
        (home / "photos" / name).write_bytes(data)

    def call(function: str, *options: str) -> Said:
        return run("model", "compare", "linear.py:Linear", "photos", "--reference", f"train.py:{function}", *options)

    return call


@pytest.mark.parametrize(
    ("function", "reading"),
    [
        ("predict", "taken as they are"),
        ("logits", "read as logits, with the soft-max of them"),
        ("from_path", "taken as they are"),
    ],
)
def test_the_same_scores_are_said_to_be_the_same(compare: Callable[..., Said], function: str, reading: str) -> None:
    said = compare(function)
    assert said.code == 0, said.out + said.err
    assert said.out.splitlines()[-1].startswith(f"same: {COUNT} pictures, the same class, all scores within 0.00000")
    assert said.out.endswith(f"the values of the reference were {reading}\n")


@pytest.mark.parametrize("name", PLANTED)
def test_a_wrong_value_is_found(home: Path, compare: Callable[..., Said], name: str) -> None:
    (old, new), expected = PLANTED[name]
    (home / "linear.toml").write_text(INPUT.replace(old, new), encoding="utf-8")
    said = compare("predict")
    assert said.code == 1
    lines = said.out.partition("[input]\n")[2]
    assert expected in (None, tomllib.loads(lines))
    assert ('# as preset = "imagenet"' in lines) == (name in ("mean and std", "half", "scale"))
    # What it says to write makes them the same.
    (home / "linear.toml").write_text(_merge(INPUT.replace(old, new), lines), encoding="utf-8")
    assert compare("predict").code == 0


def test_a_crop_is_found_where_other_colours_come_nearer(home: Path, compare: Callable[..., Said]) -> None:
    (home / "linear.py").write_text(MODEL.replace("default_rng(4).normal(0, 0.05", "default_rng(0).normal(0, 0.2"))
    (home / "linear.toml").write_text(INPUT.replace(CUT, 'resize = "stretch"'), encoding="utf-8")
    assert compare("predict").out.endswith('[input]\nresize = "crop"\ncrop_ratio = 0.875\n')


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ('size = [12, 20]\nresize = "stretch"', ["size = [20, 12]"]),
        ('size = [20, 12]\nresize = "crop"\ncrop_ratio = 0.9', ['resize = "stretch"', "crop_ratio = 1.0"]),
        (
            'size = [20, 12]\nresize = "crop"\nshort_side = 20\ncrop_rounding = "down"',
            ['resize = "stretch"', "# without short_side", "# without crop_rounding"],
        ),
    ],
    ids=["transposed", "a cut by ratio", "a cut by side"],
)
def test_another_size_is_found(home: Path, compare: Callable[..., Said], written: str, expected: list[str]) -> None:
    config = INPUT.replace(f"size = [16, 16]\n{CUT}", written)
    (home / "linear.toml").write_text(config, encoding="utf-8")
    lines = compare("wide").out.partition("[input]\n")[2]
    assert sorted(lines.splitlines()) == sorted(expected)
    (home / "linear.toml").write_text(_merge(config, lines), encoding="utf-8")
    assert compare("wide").code == 0


def test_a_search_that_runs_out_of_time_says_so(
    home: Path, compare: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "linear.toml").write_text(f'{INPUT}mode = "BGR"\n', encoding="utf-8")
    monkeypatch.setattr("cvserve.comparison.input_search._LIMIT_S", 0)
    said = compare("predict")
    assert said.code == 1
    assert "no cause found: stopped after 0 s; not all was tried" in said.out
    assert json.loads(compare("predict", "--json").out)["stopped_after_s"] == 0


def _merge(config: str, lines: str) -> str:
    """A config with other values for some of its keys."""
    keys = {line.removeprefix("# without ").partition(" =")[0] for line in lines.splitlines()}
    kept = [line for line in config.splitlines() if line.partition(" =")[0] not in keys]
    return "\n".join([*kept, lines])


def test_json_has_every_picture_and_the_cause(home: Path, compare: Callable[..., Said]) -> None:
    (home / "linear.toml").write_text(f'{INPUT}mode = "BGR"\n', encoding="utf-8")
    said = compare("predict", "--json", "--most", "1")
    found = json.loads(said.out)
    assert not found["same"]
    assert len(found["pictures"]) == COUNT
    assert max(entry["difference"] for entry in found["pictures"]) == found["difference"] > 1e-3
    assert found["pictures"][0].keys() == {"file", "difference", "reference", "cvserve"}
    assert found["stopped_after_s"] is None
    assert found["cause"] == {
        "words": None, "section": "input", "change": {"mode": "RGB"}, "difference": pytest.approx(0, abs=1e-6),
    }  # fmt: skip


def test_scores_of_independent_labels_are_found(compare: Callable[..., Said]) -> None:
    said = compare("independent")
    assert said.code == 1
    assert said.out.endswith('[output]\nscores = "sigmoid"\n')


def test_what_the_reference_gives_can_be_said(home: Path, compare: Callable[..., Said]) -> None:
    (home / "linear.toml").write_text(f'{INPUT}\n[output]\nscores = "sigmoid"\n', encoding="utf-8")
    said = compare("logits")
    assert said.code == 0
    assert said.out.endswith("read as logits of independent labels, with the sigmoid of each\n")
    said = compare("logits", "--reference-scores", "logits")
    assert said.code == 1
    assert 'scores = "logits"' in said.out


def test_another_order_of_the_classes_is_found(compare: Callable[..., Said]) -> None:
    said = compare("reversed_classes")
    assert said.code == 1
    assert "another order of the classes" in said.out


def test_a_picture_that_only_cvserve_turns_upright_is_found(home: Path, compare: Callable[..., Said]) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(home / "photos" / "whole.jpg") as picture:
        picture.save(home / "photos" / "whole.jpg", exif=exif, quality=95)
    said = compare("predict")
    assert said.code == 1
    assert f"different: 1 of {COUNT} pictures" in said.out
    assert "EXIF" in said.out


def test_a_picture_without_an_answer_is_no_success(home: Path, compare: Callable[..., Said]) -> None:
    (home / "photos" / "broken.png").write_bytes(b"no picture")
    said = compare("predict")
    assert said.code == 1
    assert "broken.png" in said.err
    assert f"same: {COUNT} pictures" in said.out


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("too_few", "gives 3 scores and the model has 5 classes"),
        ("fails", "train.py, line 43: KeyError: 'weights'"),
        ("missing", "There is no function 'missing' in 'train.py'; it has transform, logits"),
    ],
)
def test_a_reference_that_cannot_be_compared_is_named(compare: Callable[..., Said], function: str, words: str) -> None:
    said = compare(function)
    assert said.code == 2
    assert words in said.err


def test_a_reference_imports_its_own_beside_code_that_is_vouched_for(home: Path, run: Callable[..., Said]) -> None:
    onnx = pytest.importorskip("onnx")
    onnx.save(linear(["n", 3, 3, 4]), home / "net.onnx")
    (home / "net.toml").write_text('[input]\ntransform = "steps.py:prepare"\n', encoding="utf-8")
    for name, code in {"steps": STEPS, "ref": REFERENCE, "own": "", "later": ""}.items():
        (home / f"{name}.py").write_text(code, encoding="utf-8")
    (home / "photos").mkdir()
    # More than are asked for at once: the model is asked again after the reference was.
    for count in range(20):
        Image.new("RGB", (8, 6), (10 * count, 90, 30)).save(home / "photos" / f"{count}.png")
    command = ("model", "compare", "net.onnx", "photos", "--reference", "ref.py:predict")
    assert run(*run(*command).err.partition("run: cvserve ")[2].split()).code == 0
    said = run(*command)
    assert said.code == 0, said.out + said.err
    # The transform gets none of it, also where the reference has it loaded.
    assert not (home / "let_in").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--tolerance", "much"), "--tolerance is 'much': give a number from 0 to 1"),
        (("--tolerance", "nan"), "--tolerance is 'nan'"),
        (("--reference-scores", "odds"), "use one of auto, probabilities, logits, sigmoid"),
        (("--reference", "train"), "name a function in a Python file, such as train.py:predict"),
        (("--reference", "other.py:predict"), "--reference is 'other.py:predict', and there is no file 'other.py'"),
    ],
)
def test_an_option_that_cannot_be_used_is_refused(
    compare: Callable[..., Said], options: tuple[str, ...], words: str
) -> None:
    said = compare("predict", *options)
    assert said.code == 2
    assert words in said.err
    assert said.out == ""


def test_without_a_reference_there_is_nothing_to_compare(home: Path, run: Callable[..., Said]) -> None:
    said = run("model", "compare", "builtin", str(home))
    assert said.code == 2
    assert "compare needs --reference" in said.err
