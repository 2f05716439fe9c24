import os
import pickle
import sys
import textwrap
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.naive_bayes import GaussianNB

from cvserve import Predictor
from cvserve.errors import ModelLoadError, UntrustedModel
from cvserve.predictor.models.files.file import read_model_file
from cvserve.predictor.models.formats import plugins
from cvserve.predictor.models.formats.plugins import PluginWarning
from support.command import cvserve, loaded_modules
from support.process import ServerProcess

# A model that answers "b" with 0.75, whatever the picture.
WORKING = """
import pathlib
import numpy as np
from cvserve.backends import BackendPlugin, Kind, ModelFacts

pathlib.Path("imported-{name}").touch()

class Backend:
    def infer(self, batch):
        return np.tile([0.25, 0.75], (len(batch), 1))

def load(file):
    assert file.data.startswith(b"{mark}")
    return ModelFacts("other", lambda probe, wanted: (Backend(), "probabilities"), labels=("a", "b"),
                      input={{"size": (4, 4), "mode": "L"}}, extra={{"maker": "me"}})

plugin = BackendPlugin(Kind("{key}", "a {name} model", (".{name}",), {hides_code}), {recognises}, load)
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Install a package with one entry point, as pip would have left it."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("PYTHONPATH", str(site))
    made = []

    def package(
        name: str,
        *,
        source: str = WORKING,
        key: str = "",
        mark: str = "",
        hides_code: bool = False,
        recognises: str = "",
        target: str = "plugin",
    ) -> None:
        mark = mark or f"{name}:"
        recognises = recognises or f"lambda data: data.startswith(b'{mark}')"
        parts = {"name": name, "key": key or name, "mark": mark, "hides_code": hides_code, "recognises": recognises}
        text = source.format(**parts) if source is WORKING else textwrap.dedent(source)
        (site / f"cvs_{name}.py").write_text(text)
        info = site / f"cvs_{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: cvs-{name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[cvserve.backends]\n{name} = cvs_{name}:{target}\n")
        made.append(f"cvs_{name}")

    plugins.find_plugins.cache_clear()
    yield package
    plugins.find_plugins.cache_clear()
    for name in made:
        sys.modules.pop(name, None)


@pytest.fixture
def model(home: Path) -> Callable[..., Path]:
    def write(text: str, name: str = "model.xyz") -> Path:
        (home / name).write_text(text)
        return home / name

    return write


@pytest.fixture
def picture(home: Path) -> Path:
    Image.new("L", (4, 4), 200).save(home / "p.png")
    return home / "p.png"


def test_a_plugin_loads_its_own_format(install: Callable[..., None], model: Callable[..., Path], picture: Path) -> None:
    install("one")
    predictor = Predictor.load(model("one: anything"))
    assert (predictor.info.format, predictor.model.origins["plugin"]) == ("one", ("'one' of cvs-one 1.0", "file"))
    assert predictor.model.origins["maker"] == ("me", "file")
    prediction = predictor.predict(picture)
    assert (prediction.label, prediction.score) == ("b", 0.75)


def test_no_plugin_is_looked_up_for_what_cvserve_serves_itself(
    install: Callable[..., None], model: Callable[..., Path], picture: Path, home: Path
) -> None:
    install("greedy", recognises="lambda data: True")
    estimator = GaussianNB().fit(np.random.default_rng(0).random((8, 16)), [0, 1] * 4)
    (home / "m.pkl").write_bytes(pickle.dumps(estimator))
    assert Predictor.load(home / "m.pkl", trust=True).info.format == "sklearn"
    with pytest.raises(UntrustedModel):
        Predictor.load(home / "m.pkl")
    assert Predictor.load().info.format == "builtin"
    assert cvserve("predict", str(picture), "--no-history").code == 0
    assert not (home / "imported-greedy").exists()
    Predictor.load(model("greedy: anything"))
    assert (home / "imported-greedy").exists()


def test_help_and_version_look_up_nothing() -> None:
    assert "importlib.metadata" not in loaded_modules("from cvserve.cli import app; app(['--help'])")


def test_a_damaged_file_of_ours_is_never_given_to_a_plugin(install: Callable[..., None], home: Path) -> None:
    install("greedy", recognises="lambda data: True")
    (home / "m.pkl").write_bytes(pickle.dumps(GaussianNB())[:-30])
    with pytest.raises(ModelLoadError, match="cannot be read as a pickle"):
        Predictor.load(home / "m.pkl", trust=True)
    assert not (home / "imported-greedy").exists()


def test_a_suffix_of_ours_promises_our_format(install: Callable[..., None], model: Callable[..., Path]) -> None:
    install("greedy", recognises="lambda data: True")
    with pytest.raises(ModelLoadError, match=r"'m.pkl' is called a pickle but is a greedy model"):
        Predictor.load(model("anything", "m.pkl"))


@pytest.mark.parametrize("name", ["m.h5", "m.zip", "m.safetensors", "m.keras"])
def test_a_plugin_may_bring_a_format_that_we_know_by_name_only(
    install: Callable[..., None], model: Callable[..., Path], home: Path, name: str
) -> None:
    install("hdf", mark="\\x89HDF\\r\\n\\x1a\\n")
    (home / name).write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(20))
    assert Predictor.load(home / name).info.format == "hdf"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import no_such_module", "it cannot be imported (ModuleNotFoundError)"),
        ("raise SystemExit(3)", "it cannot be imported (SystemExit)"),
        ("x = 1", "it cannot be imported (AttributeError)"),
        ("plugin = object()", "it is no cvserve.backends.BackendPlugin"),
    ],
)
def test_a_plugin_that_cannot_be_used_is_named_once_and_skipped(
    install: Callable[..., None], model: Callable[..., Path], picture: Path, source: str, reason: str
) -> None:
    install("broken", source=source)
    install("one")
    path = model("one: anything")
    said = cvserve("predict", str(picture), "--no-history", "--json", "--model", str(path))
    assert said.code == 0
    assert '"label": "b"' in said.out
    assert said.err == f"cvserve: warning: The plugin 'broken' of cvs-broken 1.0 is skipped: {reason}.\n"


@pytest.mark.parametrize("key", ["pickle", "skops", "onnx", "zip"])
def test_a_plugin_cannot_take_the_name_of_a_format_of_ours(
    install: Callable[..., None], model: Callable[..., Path], key: str
) -> None:
    install("thief", key=key)
    with pytest.warns(PluginWarning, match=f"the format '{key}' is cvserve's own"), pytest.raises(ModelLoadError):
        Predictor.load(model("thief: anything"))


def test_two_plugins_for_one_name_or_one_file_are_both_named(
    install: Callable[..., None], model: Callable[..., Path]
) -> None:
    install("one")
    install("other", mark="one:")
    install("third", key="one")
    with (
        pytest.warns(PluginWarning, match=r"'third'.*is skipped: 'one' of cvs-one 1.0 has the format 'one' already"),
        pytest.raises(ModelLoadError, match=r"'one' of cvs-one 1.0 and 'other' of cvs-other 1.0 both take 'model.xyz'"),
    ):
        Predictor.load(model("one: anything"))


def test_a_plugin_that_fails_to_look_is_named_and_passed_over(
    install: Callable[..., None], model: Callable[..., Path]
) -> None:
    install("clumsy", recognises="lambda data: 1 // 0")
    install("one")
    with pytest.warns(PluginWarning, match=r"'clumsy'.*it failed to look at the file \(ZeroDivisionError\)"):
        assert Predictor.load(model("one: anything")).info.format == "one"


def test_a_risky_format_that_is_no_pickle_is_not_said_to_import(
    install: Callable[..., None], model: Callable[..., Path]
) -> None:
    install("risky", hides_code=True)
    path = model("risky: anything")
    with pytest.raises(UntrustedModel) as caught:
        Predictor.load(path)
    assert "import" not in str(caught.value)
    assert ", 15 bytes. If you made it, run: cvserve model trust " in str(caught.value)
    shown = cvserve("model", "inspect", str(path)).out
    assert "sha256" in shown
    assert "imports" not in shown
    assert "to its end" not in shown


def test_what_a_pickle_in_a_plugins_format_imports_is_said(install: Callable[..., None], home: Path) -> None:
    install("risky", hides_code=True, recognises="lambda data: data.startswith(b'PK')")
    with zipfile.ZipFile(home / "m.xyz", "w") as archive:
        archive.writestr("inner.pkl", pickle.dumps(os.getcwd))
    with pytest.raises(UntrustedModel, match=r"bytes, imports posix\.getcwd\. If"):
        Predictor.load(home / "m.xyz")


def test_a_format_in_which_code_can_hide_needs_trust(install: Callable[..., None], model: Callable[..., Path]) -> None:
    install("risky", hides_code=True)
    path = model("risky: anything")
    with pytest.raises(UntrustedModel, match=r"'model.xyz' is a risky model, in which code can hide"):
        Predictor.load(path)
    sha256 = read_model_file(path).sha256
    assert Predictor.load(path, sha256=sha256).info.format == "risky"
    said = cvserve("model", "trust", str(path), "--sha256", sha256)
    assert said.code == 0, said.err
    assert Predictor.load(path).info.format == "risky"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return 1 // 0", ["ZeroDivisionError in line 5 of cvs_bad.py: integer division"]),
        ("return __import__('json').loads('{')", ["JSONDecodeError in line 5 of cvs_bad.py"]),
        (
            r"raise ValueError('8 trees\x1b[2J\nand 9 leaves')",
            ["ValueError in line 5 of cvs_bad.py: 8 trees", "and 9 leaves;"],
        ),
        ("raise ModelLoadError('of another day')", ["of another day"]),
        ("return 3", ["gave a int for 'model.xyz', not ModelFacts"]),
        ("return facts([[0.1, 0.2, 0.7]])", ["has 2 labels and gives 3 scores"]),
        ("return facts([[0.7]])", ["It gives one number for a picture"]),
        ("return facts([[float('nan'), 0]])", ["not a finite number"]),
        ("return facts('text')", ["not an array of numbers"]),
        (
            "return facts(None, 'a')",
            ["TypeError in line", "; it was given float32 [1, 3, 4, 4], as size, mode and layout"],
        ),
    ],
)
def test_a_plugin_that_fails_at_the_load_is_named(
    install: Callable[..., None], model: Callable[..., Path], body: str, words: list[str]
) -> None:
    source = f"""
        from types import SimpleNamespace
        from cvserve.backends import BackendPlugin, Kind, ModelFacts, ModelLoadError
        def load(file):
            {body}
        def facts(answer, *wrong):
            def connect(probe, wanted):
                return SimpleNamespace(infer=lambda batch: len(*wrong, *wrong) if wrong else answer), None
            return ModelFacts("x", connect, labels=("a", "b"), input={{"size": (4, 4)}})
        plugin = BackendPlugin(Kind("bad", "bad", ()), lambda data: True, load)
    """
    install("bad", source=source)
    with pytest.raises(ModelLoadError) as caught:
        Predictor.load(model("anything"))
    for word in words:
        assert word in str(caught.value)
    assert caught.value.args[0].isprintable()
    if "another day" not in body:
        assert "'bad' of cvs-bad 1.0" in str(caught.value)


def test_what_a_plugin_says_of_a_picture_stays_out_of_answers(
    install: Callable[..., None],
    model: Callable[..., Path],
    picture: Path,
    server_process: Callable[..., ServerProcess],
) -> None:
    source = """
        import numpy
        from types import SimpleNamespace
        from cvserve.backends import BackendPlugin, Kind, ModelFacts
        def infer(batch):
            if abs(batch - 200 / 255).max() < 0.01:
                raise ValueError("the word is sesame")
            return numpy.tile([0.25, 0.75], (len(batch), 1))
        def load(file):
            backend = SimpleNamespace(infer=infer)
            return ModelFacts("x", lambda probe, wanted: (backend, "probabilities"), input={"size": (4, 4)})
        plugin = BackendPlugin(Kind("picky", "picky", ()), lambda data: True, load)
    """
    install("picky", source=source)
    server = server_process("--model", str(model("anything")), "--workers", "1", "--no-auth")
    with server.client() as client:
        answer = client.post("/predict", content=picture.read_bytes())
    assert (answer.status_code, answer.json()["code"]) == (500, "model_error")
    assert "sesame" not in answer.text
    assert "cvs_picky" not in answer.text


def test_a_file_that_nobody_knows_is_still_refused(install: Callable[..., None], model: Callable[..., Path]) -> None:
    install("one")
    with pytest.raises(ModelLoadError, match="is no model file that cvserve knows"):
        Predictor.load(model("two: anything"))
    assert os.path.exists("imported-one")
