"""A model.toml is found where the messages say that it should be written, and the commands that they print work."""

import pickle
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from cvserve.commands.model.app import model_app
from cvserve.errors import ModelLoadError
from cvserve.predictor.models.files.file import read_model_file
from support.models import load_model
from support.own_models import PLAIN, SIZE

FACTORY = PLAIN + "\n\ndef plain(classes, *, names=None):\n    return Plain()\n"
ARGUMENTS = "[model.args]\nclasses = 2\n"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package where installed ones are, with a factory function in `house_of_models.vision`."""
    package = tmp_path / "site-packages" / "house_of_models" / "vision"
    package.mkdir(parents=True)
    package.with_name("__init__.py").write_text("")
    (package / "__init__.py").write_text(FACTORY)
    monkeypatch.syspath_prepend(str(tmp_path / "site-packages"))
    yield package
    for name in [name for name in sys.modules if name.startswith("house_of_models")]:
        del sys.modules[name]


@pytest.fixture
def picture(home: Path) -> Path:
    Image.fromarray(np.full((8, 8), 200, np.uint8)).save(home / "img.jpg")
    return home / "img.jpg"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(model_app, arguments)


def follow(said: str) -> Result:
    """Type the command that was printed."""
    found = re.search(r"cvserve model (.*img\.jpg)", said)
    assert found is not None, said
    result = run(*shlex.split(found[1]))
    assert result.exit_code == 0, result.exception
    return result


def test_the_config_of_an_installed_package_is_in_the_working_folder(installed: Path, home: Path) -> None:
    with pytest.raises(ModelLoadError) as caught:
        load_model("house_of_models.vision:plain")
    said = str(caught.value)
    assert "needs classes; write into vision.toml: [model.args] classes = … and [input] size = [width, height]" in said
    (home / "vision.toml").write_text(SIZE + ARGUMENTS)
    (home / "labels.txt").write_text("night\nday\n")
    model = load_model("house_of_models.vision:plain")
    assert (model.labels, model.origins["labels"][1]) == (("night", "day"), "labels.txt")
    assert model.preparation.size == (4, 4)
    (home / "vision.toml").unlink()
    (installed / "__init__.toml").write_text(SIZE + ARGUMENTS)  # where it was read until now
    assert load_model("house_of_models.vision:plain").preparation.size == (4, 4)


@pytest.mark.usefixtures("picture")
def test_what_inspect_prints_for_an_installed_package_works(installed: Path, home: Path) -> None:
    (home / "vision.toml").write_text(SIZE.replace("scale", "# scale") + ARGUMENTS)
    follow(run("inspect", "house_of_models.vision:plain").stderr)
    written = run("inspect", "house_of_models.vision:plain", "--write", "--force")
    assert "Wrote vision.toml; check what the model sees with: cvserve model try house_of_models" in written.stderr
    assert "guessed" not in follow(written.stderr).stderr
    assert tomllib.loads((home / "vision.toml").read_text())["model"]["args"] == {"classes": 2}
    assert not list(installed.rglob("*.toml"))


@pytest.mark.usefixtures("picture")
def test_commands_that_are_printed_name_weights_and_config(home: Path) -> None:
    (home / "place_model.py").write_text(FACTORY)
    (home / "best of all.bin").write_text("weights")
    (home / "other.toml").write_text(SIZE.replace("scale", "# scale") + ARGUMENTS)
    options = ("--weights", "best of all.bin", "--model-config", "other.toml")
    inspected = run("inspect", "place_model.py:plain", *options)
    assert "--weights 'best of all.bin' --model-config other.toml img.jpg" in inspected.stderr
    follow(inspected.stderr)
    written = run("inspect", "place_model.py:plain", *options, "--write", "--force")
    assert "Wrote other.toml" in written.stderr
    assert re.search("^sha256 of weights +[0-9a-f]{64}  file", written.stdout, re.MULTILINE)
    follow(written.stderr)


@pytest.mark.usefixtures("picture")
def test_a_hash_that_vouches_for_a_file_is_repeated(home: Path, logistic: Any) -> None:
    (home / "m.pkl").write_bytes(pickle.dumps(logistic))
    sha256 = read_model_file(home / "m.pkl").sha256
    follow(run("inspect", "m.pkl", "--compile", "never", "--model-sha256", sha256).stderr)


def test_a_package_of_ones_own_has_its_config_beside_it_or_in_the_working_folder(home: Path) -> None:
    package = home / "own_house"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "nets.py").write_text(PLAIN)
    try:
        (home / "nets.toml").write_text(SIZE)
        assert load_model("own_house.nets:Plain").preparation.size == (4, 4)
        (package / "nets.toml").write_text(SIZE.replace("[4, 4]", "[6, 6]"))
        assert load_model("own_house.nets:Plain").preparation.size == (6, 6)
        assert load_model(f"{package / 'nets.py'}:Plain").preparation.size == (6, 6)
    finally:
        for name in [name for name in sys.modules if name.startswith(("own_house", "nets"))]:
            del sys.modules[name]


def test_the_version_of_an_installed_package_counts(installed: Path, home: Path) -> None:
    (home / "vision.toml").write_text(SIZE + ARGUMENTS)
    described = installed.parents[1] / "house_of_models-1.0.dist-info" / "METADATA"
    described.parent.mkdir()
    versions = set()
    for number in ("1.0", "1.1"):
        described.write_text(f"Metadata-Version: 2.1\nName: house-of-models\nVersion: {number}\n")
        versions.add(load_model("house_of_models.vision:plain").info.version)
    assert len(versions) == 2
