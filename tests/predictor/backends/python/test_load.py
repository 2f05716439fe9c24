import hashlib
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cvserve import Predictor
from cvserve.errors import InvalidSetting, ModelError, ModelLoadError, Unsafe, UntrustedModel
from cvserve.predictor.backends.python.backend import UserPreparation
from cvserve.predictor.models.code import trust
from support.models import load_model
from support.own_models import BRIGHTNESS, PLAIN, SIZE

WHITE = np.full((10, 12, 3), 255, np.uint8)
BLACK = np.zeros((10, 12, 3), np.uint8)


def refused(reference: str | Path, error: type[Exception] = ModelLoadError, **options: Any) -> str:
    with pytest.raises(error) as caught:
        load_model(reference, **options)
    assert "Traceback" not in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_subclass_of_predictor(write: Callable[..., Path]) -> None:
    path = write(BRIGHTNESS)
    predictor = Predictor.load(f"{path}:Brightness")
    assert predictor.predict(WHITE).to_dict()["label"] == "light"
    assert predictor.predict(BLACK).score == 0.75
    assert (predictor.info.name, predictor.info.format) == ("brightness", "python")
    assert predictor.model.origins["labels"] == (["dark", "light"], "file")
    assert predictor.guessed == ()


def test_it_answers_as_it_does_alone(write: Callable[..., Path]) -> None:
    path = write(BRIGHTNESS)
    loaded = Predictor.load(f"{path}:Brightness")
    own = sys.modules["my_model"].Brightness()
    for picture in (WHITE, BLACK):
        assert own.predict(picture).top == loaded.predict(picture).top


def test_it_reads_its_model_toml_alone_as_well(write: Callable[..., Path]) -> None:
    text = BRIGHTNESS.replace('    labels = ("dark", "light")\n', "").replace(
        "batch[:, 0] >=", "batch.mean(axis=(1, 2, 3)) * 255 >="
    )
    start, end = text.index("    def preprocess"), text.index("    def infer")
    path = write(text[:start] + text[end:], toml='name = "meter"\nlabels = ["night", "day"]\n' + SIZE)
    loaded = Predictor.load(f"{path}:Brightness")
    own = sys.modules["my_model"].Brightness()
    assert own.info == loaded.info
    assert own.info.name == "meter"
    for picture in (WHITE, BLACK):
        assert own.predict(picture).top == loaded.predict(picture).top
    assert own.predict(WHITE).label == "day"
    assert own.warm_up_size() == (4, 4)


def test_another_model_toml_is_the_only_one_that_counts(write: Callable[..., Path], home: Path) -> None:
    start, end = BRIGHTNESS.index("    def preprocess"), BRIGHTNESS.index("    def infer")
    text = BRIGHTNESS[:start] + BRIGHTNESS[end:].replace("batch[:, 0] >=", "batch.reshape(len(batch), -1).mean(1) >=")
    path = write(text, toml='labels = ["night", "day"]\n' + SIZE)
    (home / "other.toml").write_text('name = "other"\n')
    predictor = Predictor.load(f"{path}:Brightness", config=home / "other.toml")
    assert (predictor.info.name, predictor.labels) == ("other", ("dark", "light"))
    assert predictor.predict(WHITE).label == "light"  # uint8, where [input] would have given 0 to 1
    path.with_suffix(".toml").write_text("nmae = 3")
    Predictor.load(f"{path}:Brightness", config=home / "other.toml")


def test_its_model_toml_is_read_at_its_first_use_and_not_when_it_is_made(write: Callable[..., Path]) -> None:
    load_model(f"{write(BRIGHTNESS)}:Brightness")
    write(BRIGHTNESS, toml="nmae = 3")
    own = sys.modules["my_model"].Brightness()
    for use in (lambda: own.predict(WHITE), own.warm_up, own.want, lambda: own.labels, lambda: own.info):
        with pytest.raises(ModelLoadError, match="did you mean 'name'"):
            use()
    write(BRIGHTNESS, toml='labels = ["night", "day"]')
    assert own.predict(WHITE).label == "day"


def test_an_object_is_made_without_opening_a_file(write: Callable[..., Path]) -> None:
    path = write(BRIGHTNESS, toml='labels = ["night", "day"]')
    code = (
        "import sys, my_model; opened = []; "
        "sys.addaudithook(lambda event, args: opened.append(args[0]) if event == 'open' else None); "
        "own = my_model.Brightness(); assert opened == [], opened; "
        "assert own.labels == ('night', 'day'); assert any(str(name).endswith('my_model.toml') for name in opened)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=path.parent, check=True)


def test_its_model_toml_overrides_the_class_and_not_the_object(write: Callable[..., Path]) -> None:
    path = write(
        BRIGHTNESS + "\n\nclass Other(Brightness):\n    def __init__(self):\n        super().__init__()\n"
        "        self.labels = ('low', 'high')\n",
        toml='labels = ["night", "day"]',
    )
    load_model(f"{path}:Brightness")
    module = sys.modules["my_model"]
    assert module.Brightness.labels == ("dark", "light")
    assert module.Brightness().labels == ("night", "day")
    assert module.Other().labels == ("low", "high")
    assert module.Other().predict(WHITE).label == "high"


def test_a_loader_hands_its_model_toml_over_before_the_class_may_ask(write: Callable[..., Path], home: Path) -> None:
    path = write(
        BRIGHTNESS + "\n    def __init__(self):\n        super().__init__()\n        self.seen = tuple(self.labels)\n",
        toml='labels = ["night", "day"]',
    )
    (home / "other.toml").write_text('labels = ["off", "on"]')
    predictor = Predictor.load(f"{path}:Brightness", config=home / "other.toml")
    assert predictor.predict(WHITE).label == "on"
    preparation = predictor.model.preparation
    assert isinstance(preparation, UserPreparation)
    made = preparation.own
    assert (made.seen, made.labels, made.info) == (("off", "on"), ("off", "on"), predictor.info)


def test_a_plain_object_is_fed_as_its_model_toml_says(write: Callable[..., Path]) -> None:
    path = write(PLAIN, toml='name = "light meter"\nlabels = ["night", "day"]\n' + SIZE)
    predictor = Predictor.load(f"{path}:Plain")
    assert predictor.predict(WHITE).to_dict()["top"] == [
        {"index": 1, "label": "day", "score": 1.0},
        {"index": 0, "label": "night", "score": 0.0},
    ]
    assert predictor.info.name == "light meter"
    assert predictor.model.preparation.size == (4, 4)


def test_without_a_size_it_says_what_to_write(write: Callable[..., Path]) -> None:
    said = refused(f"{write(PLAIN)}:Plain")
    for word in ("my_model.py", "my_model.toml", "[input] size = [width, height]"):
        assert word in said


@pytest.mark.parametrize("name", ["ready", "make", "Plain"])
def test_an_object_a_function_and_a_class(write: Callable[..., Path], name: str) -> None:
    path = write(PLAIN + "\nready = Plain()\ndef make(): return Plain()\n", toml=SIZE)
    assert Predictor.load(f"{path}:{name}").predict(WHITE).label == "light"


def test_a_module_of_a_package_and_its_relative_imports(home: Path) -> None:
    package = home / "house"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "numbers_of_ours.py").write_text("MIDDLE = 128")
    text = BRIGHTNESS.replace("import numpy as np", "import numpy as np\nfrom .numbers_of_ours import MIDDLE")
    (package / "models.py").write_text(text.replace("128.0", "MIDDLE"))
    before = list(sys.path)
    try:
        predictor = Predictor.load("house.models:Brightness")
        assert predictor.predict(WHITE).label == "light"
        version = predictor.info.version
        (package / "numbers_of_ours.py").write_text("MIDDLE = 127")
        assert Predictor.load("house.models:Brightness").info.version != version
        assert sys.path == before
    finally:
        for name in [name for name in sys.modules if name.startswith("house")]:
            del sys.modules[name]


def test_files_beside_it_can_be_imported_while_it_is_loaded(write: Callable[..., Path]) -> None:
    write("MIDDLE = 128", "beside_my_model.py")
    path = write(BRIGHTNESS.replace("self.middle = 128.0", "from beside_my_model import MIDDLE; self.middle = MIDDLE"))
    before = list(sys.path)
    assert Predictor.load(f"{path}:Brightness").predict(WHITE).label == "light"
    assert sys.path == before


def test_arguments_come_from_model_toml(write: Callable[..., Path]) -> None:
    text = PLAIN.replace(
        "    def infer", "    def __init__(self, factor, *, shift=0): self.factor = factor + shift\n\n    def infer"
    )
    text = text.replace(".mean(axis=1)", ".mean(axis=1) * self.factor")
    path = write(text, toml=SIZE + "[model]\nargs = { factor = 0.5, shift = 0.25 }\n")
    assert Predictor.load(f"{path}:Plain").predict(WHITE).score == 0.75
    write(text, toml=SIZE)
    assert "needs factor; write into my_model.toml: [model.args] factor = …." in refused(f"{path}:Plain")
    write(text, toml=SIZE + "[model]\nargs = { factor = 1, shft = 1 }\n")
    assert "has no argument 'shft'" in refused(f"{path}:Plain")
    write(text, toml=SIZE + "[model]\nargs = 3\n")
    assert "my_model.toml has model.args = 3, which cannot be used" in refused(f"{path}:Plain")


def test_weights_are_given_to_it_and_are_part_of_its_version(write: Callable[..., Path], home: Path) -> None:
    text = PLAIN.replace(
        "    def infer", "    def setup(self): self.factor = float(self.weights.read_text())\n\n    def infer"
    ).replace(".mean(axis=1)", ".mean(axis=1) * self.factor")
    path = write(text, toml=SIZE)
    weights = home / "factor.txt"
    versions = set()
    for factor in ("0.5", "0.75"):
        weights.write_text(factor)
        predictor = Predictor.load(f"{path}:Plain", weights=weights)
        assert max(entry.score for entry in predictor.predict(WHITE).top) == max(float(factor), 1 - float(factor))
        versions.add(predictor.info.version)
    path.write_text(text + "\n")
    versions.add(Predictor.load(f"{path}:Plain", weights=weights).info.version)
    assert len(versions) == 3
    assert "There is no model file" in refused(f"{path}:Plain", weights=home / "none.txt")


def test_weights_without_a_class_are_a_bad_setting(tmp_path: Path) -> None:
    assert "name the class: model.py:ClassName" in refused(tmp_path / "m.skops", InvalidSetting, weights="best.pth")


@pytest.mark.parametrize(
    ("old", "new", "step", "line", "words"),
    [
        ("import numpy as np", "import numpy as np\n1 / 0", "its import", 3, "ZeroDivisionError: division by zero"),
        ("import numpy as np", "import numpy as np\nimport no_such_thing", "its import", 3, "No module named"),
        ("self.middle = 128.0", "raise ValueError('no weights here')", "setup", 11, "ValueError: no weights here"),
        ("return np.asarray", "return np.asarrray", "preprocess", 14, "AttributeError"),
        ("self.middle)", "self.midle)", "infer", 17, "AttributeError: 'Brightness' object has no attribute 'midle'"),
        (
            "def setup(self)",
            "def __init__(self): raise SystemExit('over')\n\n    def setup(self)",
            "__init__",
            10,
            "over",
        ),
        ("def infer(self, batch):", "def infer(self, batch:", "its import", 16, "SyntaxError"),
    ],
)
def test_a_mistake_is_told_by_its_own_line(
    write: Callable[..., Path], old: str, new: str, step: str, line: int, words: str
) -> None:
    assert BRIGHTNESS.count(old) == 1
    said = refused(f"{write(BRIGHTNESS.replace(old, new))}:Brightness")
    assert f"failed in {step}: my_model.py, line {line}: " in said
    assert words in said
    assert "cvserve/predictor" not in said


@pytest.mark.parametrize("raised", ["CvserveError", "InvalidSetting", "ImageTooLarge", "ModelError"])
@pytest.mark.parametrize(
    ("old", "step"),
    [("self.middle = 128.0", "setup"), ("return np.asarray", "preprocess"), ("return np.stack", "infer")],
)
def test_an_error_of_ours_in_it_is_told_like_any_other(
    write: Callable[..., Path], old: str, step: str, raised: str
) -> None:
    mistake = f"from cvserve.errors import {raised}; raise {raised}('of mine')\n        {old}"
    said = refused(f"{write(BRIGHTNESS.replace(old, mistake))}:Brightness")
    assert said.startswith("Brightness in my_model.py ")
    assert said.endswith("of mine")
    assert f"failed in {step}: my_model.py, line" in said or (step, raised) == ("infer", "ModelError")


def test_a_mistake_in_a_library_is_told_by_the_line_that_called_it(write: Callable[..., Path]) -> None:
    said = refused(f"{write(BRIGHTNESS.replace('axis=1)', 'axis=7)'))}:Brightness")
    assert "failed in infer: my_model.py, line 18: " in said


def test_a_mistake_at_a_request_has_a_traceback_of_its_own_lines_only(write: Callable[..., Path]) -> None:
    path = write(
        BRIGHTNESS.replace("return np.stack", "assert batch.max() < 200, 'too light'\n        return np.stack")
    )
    predictor = Predictor.load(f"{path}:Brightness")
    with pytest.raises(ModelError) as caught:
        predictor.predict(WHITE)
    assert "too light" not in str(caught.value)
    cause = caught.value.__cause__
    assert str(cause) == "too light"
    assert cause
    assert cause.__traceback__
    assert cause.__traceback__.tb_frame.f_code.co_filename == str(path)


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("nowhere.py:Model", "There is no model file 'nowhere.py'"),
        (
            "no_such_package.models:Model",
            "There is no module 'no_such_package.models' ('no_such_package' was not found",
        ),
        ("json.nothing:Model", "('json.nothing' was not found"),
        ("sys:Model", "is no Python file"),
    ],
)
def test_what_is_not_there(reference: str, words: str) -> None:
    assert words in refused(reference)


def test_looking_for_a_module_runs_no_package_around_it(home: Path) -> None:
    (home / "bystander").mkdir()
    (home / "bystander" / "__init__.py").write_text("raise RuntimeError('I ran')")
    (home / "bystander" / "models.py").write_text(PLAIN)
    said = refused("bystander.models:Plain", UntrustedModel, named_by_file=True)
    assert "I ran" not in said
    assert "I ran" in refused("bystander.models:Plain")


def test_a_class_that_is_not_there_is_told_with_those_that_are(write: Callable[..., Path]) -> None:
    assert "There is no class 'Plane' in 'my_model.py'; it has Plain." in refused(f"{write(PLAIN)}:Plane")


def test_a_file_without_a_class_is_told_how_to_name_one(write: Callable[..., Path]) -> None:
    path = write(PLAIN)
    assert f"name the class in it: {path}:Plain." in refused(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("class M: pass", "has no method infer"),
        ("class M:\n __slots__ = ()\n def infer(self, batch): pass", "failed in taking its weights"),
        ("M = 3", "has no method infer"),
        ("def M(): return 3", "has no method infer"),
        ("class M:\n def __init__(self, a, /): pass\n def infer(self, batch): pass", "without names"),
        (BRIGHTNESS.replace("Brightness", "M") + "    def __init__(self): self.a = 1", "super().__init__()"),
        (BRIGHTNESS.replace("Brightness", "M").replace('"probabilities"', '"percent"'), "'percent'; write one of"),
        (BRIGHTNESS.replace("Brightness", "M").replace('"light")', '"light", "grey")'), "3 labels"),
        (BRIGHTNESS.replace("Brightness", "M").replace('"light")', '"dark")'), "stands for class 0 and for class 1"),
        (
            BRIGHTNESS.replace("Brightness", "M").replace("1 - light", "light / 0"),
            "not a finite number; check its preprocess",
        ),
        (BRIGHTNESS.replace("Brightness", "M").replace("return np.stack", "return None and np.stack"), "shape []"),
        (BRIGHTNESS.replace("Brightness", "M").replace(", axis=1)", ", axis=1)[None]"), "shape [1, 1, 2]"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_what_is_no_model(write: Callable[..., Path], text: str, words: str) -> None:
    weights = write("w", "w.txt") if "weights" in words else None
    assert words in refused(f"{write(text)}:M", weights=weights)


def test_labels_that_are_not_as_many_as_its_scores(write: Callable[..., Path]) -> None:
    path = write(PLAIN, toml='labels = ["a", "b", "c"]\n' + SIZE)
    assert "my_model.toml has 3 labels, but Plain in my_model.py knows 2 classes" in refused(f"{path}:Plain")
    write(PLAIN.replace('labels = ["dark", "light"]', "labels = 'abc'"), toml=SIZE)
    assert refused(f"{path}:Plain") == (
        "Plain in my_model.py has 3 labels and gives 2 scores; give it one label for each class, in the order of their "
        "indices."
    )


ONE_NUMBER = BRIGHTNESS.replace("np.stack([1 - light, light], axis=1)", "light[:, None]")


def test_one_number_is_that_of_the_second_of_two_classes(write: Callable[..., Path]) -> None:
    path = write(ONE_NUMBER)
    predictor = Predictor.load(f"{path}:Brightness")
    own = sys.modules["my_model"].Brightness()
    for each in (predictor, own):
        assert [(entry.label, entry.score) for entry in each.predict(WHITE).top] == [("light", 0.75), ("dark", 0.25)]
        assert [answer.label for answer in each.predict_batch([BLACK, WHITE])] == ["dark", "light"]


@pytest.mark.parametrize("labels", ['labels = ("dark", "light")', ""])
def test_one_number_of_which_nobody_said_what_it_is(write: Callable[..., Path], labels: str) -> None:
    text = ONE_NUMBER.replace('    scores = "probabilities"\n', "").replace(
        'labels = ("dark", "light")', labels or "x = 1"
    )
    path = write(text)
    assert "say in my_model.toml what it is: [output] scores" in refused(f"{path}:Brightness")
    names: dict[str, Any] = {}
    exec(text, names)
    with pytest.raises(ModelError, match="It gives one number for a picture"):
        names["Brightness"]().predict(WHITE)


def test_numbers_without_a_row_each_are_refused(write: Callable[..., Path]) -> None:
    path = write(ONE_NUMBER.replace("light[:, None]", "light"))
    assert "answered shape [1] for 1 pictures; [1, classes] was expected" in refused(f"{path}:Brightness")


def test_a_preprocess_and_an_input_section_contradict_each_other(write: Callable[..., Path]) -> None:
    assert "has a preprocess of its own, and my_model.toml has [input]" in refused(
        f"{write(BRIGHTNESS, toml=SIZE)}:Brightness"
    )


def test_a_class_that_a_file_names_needs_trust(write: Callable[..., Path], tmp_path: Path) -> None:
    path = write("open('ran', 'w').close()\nimport os\n" + PLAIN, toml=SIZE)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    said = refused(f"{path}:Plain", UntrustedModel, named_by_file=True)
    assert not Path("ran").exists()
    assert f"cvserve model trust {path} --sha256 {sha256}" in said
    assert "imports os" in said
    trust.record(sha256, path, 1)
    load_model(f"{path}:Plain", named_by_file=True)
    assert Path("ran").exists()
    path.write_text(path.read_text() + "\n")
    refused(f"{path}:Plain", UntrustedModel, named_by_file=True)
    now = hashlib.sha256(path.read_bytes()).hexdigest()
    load_model(f"{path}:Plain", named_by_file=True, sha256=now)
    assert "not " in refused(f"{path}:Plain", sha256=sha256)


def test_a_file_that_everybody_may_replace_is_not_run(write: Callable[..., Path]) -> None:
    path = write("raise RuntimeError\n" + PLAIN)
    path.chmod(0o666)
    refused(f"{path}:Plain", Unsafe)


def test_its_pickles_find_its_classes(write: Callable[..., Path]) -> None:
    path = write("class Inner: pass\n" + PLAIN, toml=SIZE)
    load_model(f"{path}:Plain")
    assert sys.modules["my_model"].Inner.__module__ == "my_model"
    data = pickle.dumps(sys.modules["my_model"].Inner())
    load_model(f"{path}:Plain")
    assert type(pickle.loads(data)) is sys.modules["my_model"].Inner


def test_a_name_that_is_taken_is_not_taken_away(write: Callable[..., Path]) -> None:
    path = write(PLAIN, "json.py", toml=SIZE)
    import json

    assert load_model(f"{path}:Plain").info.name == "plain"
    assert sys.modules["json"] is json


def test_a_module_that_fails_leaves_nothing_behind(write: Callable[..., Path]) -> None:
    refused(f"{write('1 / 0')}:Plain")
    assert "my_model" not in sys.modules


def test_setup_runs_once_at_the_first_use(write: Callable[..., Path]) -> None:
    text = BRIGHTNESS.replace("self.middle = 128.0", "self.middle = 128.0; self.times = getattr(self, 'times', 0) + 1")
    load_model(f"{write(text)}:Brightness")
    own = sys.modules["my_model"].Brightness()
    assert not hasattr(own, "times")
    own.predict(WHITE)
    own.warm_up().predict_batch([WHITE, BLACK])
    assert own.times == 1


def test_what_it_sees_can_be_shown(write: Callable[..., Path]) -> None:
    predictor = Predictor.load(f"{write(BRIGHTNESS)}:Brightness")
    for shape in [(1,), (5, 4), (3, 5, 4), (5, 4, 3), (2, 2, 2, 2)]:
        assert isinstance(predictor.model.preparation.render(np.random.default_rng(1).random(shape)), Image.Image)


def test_a_cut_or_binary_python_file_is_our_error(write: Callable[..., Path], home: Path) -> None:
    path = home / "m.py"
    path.write_bytes(b"\x00\x01\x02class M")
    assert "failed in its import" in refused(f"{path}:M")
    path.write_bytes(b"\xff\xfe\xfa = 1")
    assert "failed in its import" in refused(f"{path}:M")
    path.write_bytes(b"")
    assert "is empty" in refused(f"{path}:M")


def test_loading_by_name_imports_nothing_of_torch(write: Callable[..., Path]) -> None:
    path = write(PLAIN, toml=SIZE)
    code = (
        f"import sys; from cvserve import Predictor; Predictor.load({str(path) + ':Plain'!r}); "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("toml", "source"),
    [('labels = ["a", "b", "c"]\n', "my_model.toml"), ('labels = "names.txt"\n', "names.txt")],
)
def test_labels_of_another_number_are_told_by_the_file_that_says_them(
    write: Callable[..., Path], toml: str, source: str
) -> None:
    path = write(BRIGHTNESS, toml=toml)
    (path.parent / "names.txt").write_text("a\nb\nc\n")
    assert refused(f"{path}:Brightness").startswith(
        f"{source} has 3 labels, but Brightness in my_model.py knows 2 classes;"
    )
