import json
import os
import pickle
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.naive_bayes import GaussianNB
from typer.testing import CliRunner, Result

from cvserve.commands.loading.ask_trust import ask_trust
from cvserve.commands.model.app import model_app
from cvserve.errors import InvalidSetting, ModelLoadError, UntrustedModel
from cvserve.predictor.models.code.trust import is_trusted, record
from cvserve.predictor.models.files.file import read_model_file
from support.command import cvserve
from support.models import load_model

ASK = "from cvserve.commands.loading.ask_trust import ask_trust; raise SystemExit(int(ask_trust({!r})))"


@pytest.fixture(scope="session")
def estimator() -> Any:
    rows, classes = load_digits(return_X_y=True)
    return GaussianNB(var_smoothing=0.1).fit(rows[:200] / 16, classes[:200])


@pytest.fixture
def skops_file(tmp_path: Path, estimator: Any) -> Path:
    skops.io.dump(estimator, tmp_path / "digits.skops")
    return tmp_path / "digits.skops"


@pytest.fixture
def pickle_file(tmp_path: Path, estimator: Any) -> Path:
    (tmp_path / "digits.pkl").write_bytes(pickle.dumps(estimator))
    (tmp_path / "digits.pkl").chmod(0o640)
    return tmp_path / "digits.pkl"


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8) * 3).save(tmp_path / "p.png")
    return tmp_path / "p.png"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(model_app, [str(argument) for argument in arguments])


def test_inspect_says_where_each_value_came_from(skops_file: Path) -> None:
    skops_file.with_suffix(".toml").write_text("[input]\nscale = 0.0625")
    result = run("inspect", skops_file)
    assert result.exit_code == 0
    rows = {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines() if line.strip()}
    assert rows["sha256"][0] == read_model_file(skops_file).sha256
    assert rows["version"][0] == load_model(skops_file).info.version  # model.toml counts for it
    assert not rows["sha256"][0].startswith(rows["version"][0])
    assert rows["input.size"] == ["8,", "8", "guessed"]
    assert rows["input.mean"] == ["0.0", "guessed"]
    assert rows["input.scale"] == ["0.0625", "model.toml"]
    assert rows["input.resize"] == ["stretch", "guessed"]
    assert rows["output.scores"] == ["probabilities", "file"]
    assert result.stderr.startswith("guessed: size, resize, resample, invert, mean, std – check with: ")


def test_a_line_about_guesses_is_yellow_on_a_terminal_alone(skops_file: Path) -> None:
    coloured = cvserve("model", "inspect", str(skops_file), "--compile", "never", NO_COLOR="", FORCE_COLOR="1")
    assert coloured.err.startswith("\x1b[33mguessed: ")
    plain = cvserve("model", "inspect", str(skops_file), "--compile", "never").err
    assert plain.startswith(
        "guessed: size, resize, resample, invert, scale, mean, std – check with: cvserve model try "
    )
    assert plain.count("\n") == 1


def test_inspect_for_programs(skops_file: Path) -> None:
    result = run("inspect", skops_file, "--json")
    found = json.loads(result.stdout)
    assert found["sha256"] == read_model_file(skops_file).sha256
    assert found["version"] == found["sha256"][:12]
    assert found["size_bytes"] == skops_file.stat().st_size
    assert found["properties"]["input.mode"] == {"value": "L", "from": "file"}
    assert found["properties"]["estimator"]["value"] == "GaussianNB"
    assert found["guessed"] == ["size", "resize", "resample", "invert", "scale", "mean", "std"]


def test_inspect_the_built_in_model() -> None:
    result = run("inspect", "builtin", "--json")
    assert json.loads(result.stdout)["format"] == "builtin"
    assert result.stderr == ""
    assert "digits" in run("inspect", "builtin").stdout


def test_inspect_an_untrusted_pickle_shows_its_imports_and_loads_nothing(tmp_path: Path) -> None:
    class Touch:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.system, (f"touch {tmp_path / 'canary'}",)

    path = tmp_path / "evil.pkl"
    path.write_bytes(pickle.dumps(Touch()))
    result = run("inspect", path)
    assert isinstance(result.exception, UntrustedModel)
    assert result.exception.exit_code == 5
    assert "posix.system" in result.stdout
    assert read_model_file(path).sha256 in result.stdout
    found = json.loads(run("inspect", path, "--json").stdout)
    assert found["globals"] == ["posix.system"]
    assert (found["trusted"], found["complete"]) == (False, True)
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("command", ["inspect", "try", "check"])
def test_how_estimators_run_is_said_by_flag_or_environment(
    skops_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("CVSERVE_COMPILE", "maybe")
    pictures = [] if command == "inspect" else [tmp_path]
    for flag, mode, origin in (
        ([], "maybe", "CVSERVE_COMPILE"),
        (["--compile", "perhaps"], "perhaps", "--compile"),
    ):
        if flag:
            monkeypatch.delenv("CVSERVE_COMPILE")
        result = run(command, skops_file, *pictures, *flag)
        assert isinstance(result.exception, InvalidSetting)
        assert f"compile is '{mode}' ({origin}): give auto, never or require." in str(result.exception)


def test_inspect_with_the_hash_loads_a_pickle(pickle_file: Path) -> None:
    result = run("inspect", pickle_file, "--model-sha256", read_model_file(pickle_file).sha256)
    assert result.exit_code == 0
    assert "GaussianNB" in result.stdout


def test_a_model_that_cannot_be_loaded_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "m.skops").write_bytes(b"nothing")
    result = run("inspect", tmp_path / "m.skops")
    assert isinstance(result.exception, ModelLoadError)


def test_another_version_is_a_sentence_on_stderr(tmp_path: Path, estimator: Any) -> None:
    import sklearn

    now = sklearn.__version__.encode()
    path = tmp_path / "old.pkl"
    path.write_bytes(pickle.dumps(estimator).replace(now, b"0.9" + b"0" * (len(now) - 3)))
    said = cvserve("model", "inspect", str(path), "--json", "--model-sha256", read_model_file(path).sha256)
    assert said.code == 0
    json.loads(said.out)
    assert "cvserve: warning: 'old.pkl' was saved with scikit-learn 0.9" in said.err


def test_inspect_shows_labels_and_scores_that_only_a_run_shows(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).random((20, 64))
    skops.io.dump(GaussianNB().fit(rows, [0, 1] * 10), tmp_path / "m.skops")
    found = json.loads(run("inspect", tmp_path / "m.skops", "--json").stdout)["properties"]
    assert found["labels"] == {"value": ["0", "1"], "from": "file"}


def test_inspect_writes_what_it_shows_and_the_file_gives_the_same_model(skops_file: Path) -> None:
    before = load_model(skops_file)
    result = run("inspect", skops_file, "--write")
    assert result.exit_code == 0
    written = skops_file.with_suffix(".toml").read_text(encoding="utf-8")
    assert "scale = 0.00392156862745098  # value = (pixel * scale - mean) / std; guessed" in written
    assert 'name = "digits"' in written
    assert "estimator" not in written
    after = load_model(skops_file)
    assert (after.info.name, after.preparation, after.labels, after.scores) == (
        before.info.name,
        before.preparation,
        before.labels,
        before.scores,
    )
    assert after.guessed == ()


def test_inspect_overwrites_nothing_unless_told(skops_file: Path) -> None:
    config = skops_file.with_suffix(".toml")
    config.write_text('name = "mine"')
    refused = run("inspect", skops_file, "--write").exception
    assert isinstance(refused, InvalidSetting)
    assert str(config) in str(refused)
    assert "--force" in str(refused)
    assert config.read_text() == 'name = "mine"'
    assert run("inspect", skops_file, "--write", "--force").exit_code == 0
    assert config.read_text().startswith('name = "mine"\n')
    assert "[input]" in config.read_text()
    assert [path.name for path in skops_file.parent.iterdir() if path.name.startswith(".")] == []


def test_inspect_writes_to_the_config_that_was_named_or_says_why_not(skops_file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text('name = "other"')
    assert run("inspect", skops_file, "--write", "--force", "--model-config", other).exit_code == 0
    assert not skops_file.with_suffix(".toml").exists()
    assert "size = [8, 8]" in other.read_text()
    assert isinstance(run("inspect", "builtin", "--write").exception, InvalidSetting)
    skops_file.with_suffix(".toml").mkdir()
    assert "--force" in str(run("inspect", skops_file, "--write", "--model-config", other).exception)


def test_try_shows_what_the_model_sees_and_says(skops_file: Path, picture: Path, tmp_path: Path) -> None:
    result = run("try", skops_file, picture, "--save", tmp_path / "seen", "--top-k", "3")
    assert result.exit_code == 0
    assert "8 x 8 PNG" in result.stdout
    assert "float32 [64], 0 to 0.7412" in result.stdout
    assert result.stdout.count("█") > 5
    for step in ("decode", "prepare", "infer"):
        assert step in result.stdout
    assert "guessed: size, resize, resample, invert, scale, mean, std" in result.stderr
    assert str(tmp_path / "seen" / "p.seen.png") in result.stdout


def test_try_saves_the_picture_beside_what_is_seen(skops_file: Path, picture: Path, tmp_path: Path) -> None:
    skops_file.with_suffix(".toml").write_text("[input]\ninvert = true")
    assert run("try", skops_file, picture, "--save", tmp_path).exit_code == 0
    with Image.open(tmp_path / "p.seen.png") as both, Image.open(picture) as sent:
        assert both.size == (256 + 8 + 256, 256)
        pixels, original = np.asarray(both.convert("L")), np.asarray(sent)
    # In the middle of each enlarged pixel: left as it was sent, right as it is seen.
    assert np.array_equal(pixels[16::32, 264 + 16 :: 32], 255 - original)
    assert np.abs(pixels[16::32, 16:256:32].astype(int) - original).max() <= 3


def test_try_takes_several_pictures_and_goes_on_after_a_bad_one(
    skops_file: Path, picture: Path, tmp_path: Path
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "p.png").write_bytes(picture.read_bytes())
    (tmp_path / "bad.png").write_bytes(b"no picture")
    arguments = (picture, tmp_path / "bad.png", tmp_path / "a", "--save", tmp_path / "out", "--json")
    result = run("try", skops_file, *arguments)
    assert result.exit_code == 1
    first, bad, second = json.loads(result.stdout)
    assert (first["label"], first["score"]) == (second["label"], second["score"])
    assert first["seen"] == {
        "shape": [64],
        "dtype": "float32",
        "min": 0.0,
        "mean": pytest.approx(0.3706, abs=1e-4),
        "max": pytest.approx(0.7412, abs=1e-4),
    }
    assert set(first["steps_ms"]) == {"decode", "prepare", "infer"}
    assert [first["saved"], second["saved"]] == [str(tmp_path / "out" / n) for n in ("p.seen.png", "p-2.seen.png")]
    assert (bad["file"], bad["code"]) == (str(tmp_path / "bad.png"), "invalid_image")
    plain = run("try", skops_file, *arguments[:-1])
    assert plain.exit_code == 1
    assert f"{tmp_path / 'bad.png'}: These 10 bytes are not an image" in plain.stderr


def test_try_says_when_width_and_height_are_the_wrong_way_round(tmp_path: Path) -> None:
    path, config = tmp_path / "wide.skops", tmp_path / "wide.toml"
    rows = np.random.default_rng(0).random((4, 96))
    skops.io.dump(GaussianNB().fit(rows, [0, 1, 0, 1]), path)
    Image.new("L", (12, 8), 200).save(tmp_path / "wide.png")
    line = "wide.png: 12 x 8 pixels, and [input] size = [8, 12] is the other way round"
    config.write_text('[input]\nsize = [8, 12]\nmode = "L"\n')
    assert line in run("try", path, tmp_path / "wide.png").stderr
    assert line in run("try", path, tmp_path / "wide.png", "--json").stderr
    config.write_text('[input]\nsize = [12, 8]\nmode = "L"\n')
    assert "the other way round" not in run("try", path, tmp_path / "wide.png").stderr


def test_try_the_built_in_model(picture: Path, tmp_path: Path) -> None:
    result = run("try", "builtin", picture, "--save", tmp_path)
    assert result.exit_code == 0
    with Image.open(tmp_path / "p.seen.png") as both:
        assert both.size == (240 + 8 + 240, 240)  # twelve times its 20 by 20


def test_try_needs_a_picture_and_a_place_to_write(skops_file: Path, picture: Path, tmp_path: Path) -> None:
    missing = run("try", skops_file, tmp_path / "none.png")
    assert missing.exit_code == 1
    assert "There is no file" in missing.stderr
    (tmp_path / "file").write_text("")
    result = run("try", skops_file, picture, "--save", tmp_path / "file" / "seen")
    assert isinstance(result.exception, InvalidSetting)


def test_try_of_an_untrusted_pickle_without_a_terminal_is_refused(pickle_file: Path, picture: Path) -> None:
    assert isinstance(run("try", pickle_file, picture).exception, UntrustedModel)


def test_trust_by_hash_is_remembered(pickle_file: Path) -> None:
    sha256 = read_model_file(pickle_file).sha256
    assert isinstance(run("trust", pickle_file, "--sha256", "0" * 64).exception, ModelLoadError)
    assert isinstance(run("trust", pickle_file, "--sha256", "abc").exception, InvalidSetting)
    assert not is_trusted(sha256)
    result = run("trust", pickle_file, "--sha256", sha256)
    assert result.exit_code == 0
    assert result.stdout.strip() == sha256
    assert is_trusted(sha256)
    assert run("inspect", pickle_file).exit_code == 0


def test_trust_without_a_hash_needs_a_terminal(pickle_file: Path) -> None:
    result = run("trust", pickle_file)
    assert isinstance(result.exception, InvalidSetting)
    sha256 = read_model_file(pickle_file).sha256
    assert str(result.exception).endswith(f"run: cvserve model trust {pickle_file} --sha256 {sha256}")


def test_what_hides_no_code_needs_no_trust(skops_file: Path) -> None:
    result = run("trust", skops_file)
    assert result.exit_code == 0
    assert "no code can hide in it" in result.stderr
    assert not is_trusted(read_model_file(skops_file).sha256)


def test_nobody_to_ask_is_no(pickle_file: Path, skops_file: Path) -> None:
    assert ask_trust(skops_file)
    assert not ask_trust(pickle_file)
    record(read_model_file(pickle_file).sha256, pickle_file, 1)
    assert ask_trust(pickle_file)


def on_a_terminal(code: str, typed: str) -> tuple[str, int]:
    """Run `code` on a terminal of its own, type one line, and give back what it wrote and how it ended."""
    master, slave = pty.openpty()
    with subprocess.Popen([sys.executable, "-c", code], stdin=slave, stdout=slave, stderr=slave) as process:
        os.close(slave)
        os.write(master, typed.encode() + b"\n")
        seen = b""
        while True:
            try:
                data = os.read(master, 4096)
            except OSError:  # how a terminal says that everybody has left
                break
            if not data:
                break
            seen += data
    os.close(master)
    return seen.decode(), process.returncode


@pytest.mark.parametrize("typed", ["y", "yes", "", "1234567", "zzzzzzzz"])
def test_on_a_terminal_only_the_hash_is_a_yes(pickle_file: Path, typed: str) -> None:
    code = ASK.format(str(pickle_file))
    seen, answer = on_a_terminal(code, typed)
    assert answer == 0
    assert "type the first 8 characters" in seen
    assert not is_trusted(read_model_file(pickle_file).sha256)


def test_on_a_terminal_a_class_that_a_file_names_is_asked_for(home: Path) -> None:
    path = home / "my_model.py"
    path.write_text("import numpy\nfrom os import path\nclass Model: pass\n")
    sha256 = read_model_file(path).sha256
    code = ASK.format(f"{path}:Model")
    assert on_a_terminal(code, "no")[1] == 0
    seen, answer = on_a_terminal(code, sha256[:8])
    assert answer == 1
    assert re.search(r"imports\s+numpy\s+os\s", re.sub(r"\x1b\[\d*m", "", seen)), seen
    assert is_trusted(sha256)


def test_on_a_terminal_a_transform_is_asked_for_as_well(skops_file: Path) -> None:
    transform = skops_file.with_name("train.py")
    transform.write_text("import numpy\ndef grey(image): return numpy.zeros((8, 8), 'f')\n")
    skops_file.with_suffix(".toml").write_text('[input]\ntransform = "train.py:grey"\n')
    sha256 = read_model_file(transform).sha256
    code = (
        "from cvserve.commands.loading.ask_trust import ask_trust_of_transform; from cvserve.settings import Settings; "
        f"raise SystemExit(int(ask_trust_of_transform(Settings(model={str(skops_file)!r}))))"
    )
    assert on_a_terminal(code, "y")[1] == 0
    assert isinstance(run("try", skops_file, skops_file).exception, UntrustedModel)
    seen, answer = on_a_terminal(code, sha256[:8])
    assert answer == 1
    assert "train.py" in seen
    assert is_trusted(sha256)


def test_on_a_terminal_the_beginning_of_the_hash_is_a_yes(pickle_file: Path) -> None:
    sha256 = read_model_file(pickle_file).sha256
    code = ASK.format(str(pickle_file))
    seen, answer = on_a_terminal(code, sha256[:8].upper())
    assert answer == 1
    assert "sklearn.naive_bayes.GaussianNB" in seen
    assert "mode 0640" in seen
    assert is_trusted(sha256)


def test_a_terminal_draws_the_picture(skops_file: Path, picture: Path) -> None:
    arguments = ["try", str(skops_file), str(picture)]
    seen, ended = on_a_terminal(f"from cvserve.commands.model.app import model_app; model_app({arguments!r})", "")
    assert ended == 0
    assert seen.count("▀") == 2 * 8 * 4


def test_the_command_line_loads_nothing_heavy() -> None:
    code = (
        "import sys, cvserve.commands.model.app; "
        "print([name for name in ('numpy', 'PIL', 'sklearn', 'rich.table') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
