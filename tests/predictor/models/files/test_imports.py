"""What a Python file imports from beside it belongs to its hash, and runs from the bytes that were hashed."""

import hashlib
import importlib.util
import inspect
import json
import os
import py_compile
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cvserve.errors import ModelLoadError, UntrustedModel
from cvserve.predictor.contract import LoadedModel
from cvserve.predictor.models.code.trust import describe_parts, record
from cvserve.predictor.models.files.file import read_model_file, with_imports
from cvserve.predictor.models.files.imports import find_imports
from support.command import cvserve
from support.models import load_model
from support.trusted import store_path

MODEL = """
import json
import numpy as np
{imports}

class Plain:
    labels = ["a", "b"]
    def preprocess(self, image):
        return np.zeros(2)
    def infer(self, batch):
        return np.array([{scores}] * len(batch))
"""


@pytest.fixture
def folder(home: Path) -> Iterator[Path]:
    """A folder with a model, `helper.py` beside it and what that imports; its modules are forgotten afterwards."""
    before = set(sys.modules)
    finders = list(sys.meta_path)
    (home / "cvserve.toml").write_text('model = "my_model.py:Plain"\n')
    (home / "my_model.py").write_text(MODEL.format(imports="import my_helper", scores="my_helper.SCORES"))
    (home / "my_helper.py").write_text("from my_tools.colour import SCORES\n")
    (home / "my_tools").mkdir()
    (home / "my_tools" / "__init__.py").write_text("")
    (home / "my_tools" / "colour.py").write_text("SCORES = [0.25, 0.75]\n")
    yield home
    sys.meta_path[:] = finders
    for name in set(sys.modules) - before:
        del sys.modules[name]


def load(folder: Path, sha256: str | None = None) -> LoadedModel:
    return load_model(f"{folder / 'my_model.py'}:Plain", named_by_file=True, sha256=sha256)


def trust(folder: Path) -> str:
    file = with_imports(read_model_file(folder / "my_model.py"))
    record(file.code_sha256, file.path, file.size, "test", describe_parts(file))
    return file.code_sha256


def test_everything_that_is_imported_from_beside_it_is_found(folder: Path) -> None:
    source = (folder / "my_model.py").read_bytes()
    found = find_imports(folder / "my_model.py", source)
    assert [module.name for module in found] == ["my_helper", "my_tools", "my_tools.colour"]
    (folder / "my_tools" / "inner.py").write_text("")
    (folder / "my_tools" / "colour.py").write_text("from . import inner\ndef late():\n    import my_late\n")
    (folder / "my_late.py").write_text("import my_model\n")
    names = [module.name for module in find_imports(folder / "my_model.py", source)]
    assert names == ["my_helper", "my_late", "my_tools", "my_tools.colour", "my_tools.inner"]


def test_a_module_of_a_package_is_found_by_its_whole_name(folder: Path) -> None:
    path = folder / "my_tools" / "net.py"
    found = find_imports(path, b"from .colour import SCORES\nfrom my_helper import SCORES\n")
    assert [module.name for module in found] == ["my_helper", "my_tools", "my_tools.colour"]


def test_a_file_that_imports_nothing_beside_it_has_the_hash_that_it_had(tmp_path: Path) -> None:
    path = tmp_path / "alone.py"
    path.write_text(MODEL.format(imports="import os.path", scores="[0.5, 0.5]"))
    file = with_imports(read_model_file(path))
    assert file.code_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert describe_parts(file) == {}


@pytest.mark.parametrize("changed", ["my_helper.py", "my_tools/colour.py", "my_tools/__init__.py"])
def test_a_changed_helper_asks_again_and_is_named(folder: Path, changed: str) -> None:
    sha256 = trust(folder)
    path = folder / changed
    canary = folder / "canary"
    path.write_text(f"open({str(canary)!r}, 'w').close()\n{path.read_text()}")
    with pytest.raises(UntrustedModel) as caught:
        load(folder)
    name = changed.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    assert f"and {name} changed since: SHA-256" in str(caught.value)
    with pytest.raises(ModelLoadError, match=sha256):
        load(folder, sha256=sha256)
    assert not canary.exists()


def test_what_was_trusted_is_loaded(folder: Path) -> None:
    with pytest.raises(UntrustedModel, match="nobody has vouched for it"):
        load(folder)
    sha256 = trust(folder)
    own = hashlib.sha256((folder / "my_model.py").read_bytes()).hexdigest()
    assert own != sha256
    assert load(folder).info == load(folder, sha256=sha256).info
    with pytest.raises(ModelLoadError, match=sha256):
        load(folder, sha256=own)  # that of one file says nothing of the others


def test_what_is_run_is_what_was_hashed(folder: Path) -> None:
    """The first module that runs replaces the second one's file, and a forged cache lies ready."""
    canary = folder / "canary"
    text = f"import pathlib\npathlib.Path({str(folder / 'my_tools' / 'colour.py')!r}).write_text("
    text += f"\"open({str(canary)!r}, 'w').close()\\nSCORES = [1, 0]\\n\")\nfrom my_tools.colour import SCORES\n"
    (folder / "my_helper.py").write_text(text)
    trust(folder)
    load(folder)
    assert not canary.exists()
    assert sys.modules["my_tools.colour"].SCORES == [0.25, 0.75]


def test_an_import_that_cannot_be_seen_is_refused(folder: Path) -> None:
    (folder / "my_helper.py").write_text("SCORES = getattr(__import__('my_' + 'late'), 'SCORES')\n")
    (folder / "my_late.py").write_text("SCORES = [1, 0]\n")
    trust(folder)
    with pytest.raises(ModelLoadError, match="my_late is beside the model and not in its hash"):
        load(folder)
    # A person who names the class on the command line may import what they like.
    assert load_model(f"{folder / 'my_model.py'}:Plain").labels == ("a", "b")


LATE = """import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), {place!r}))
from my_deep import SCORES
"""


@pytest.mark.parametrize("place", ["lib", "site-packages", "../other", "lib/deep/../../lib"])
def test_a_path_that_the_code_makes_up_leads_to_nothing_in_the_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (folder / "models").mkdir()
    for name in ("my_model.py", "my_helper.py"):
        (folder / name).rename(folder / "models" / name)
    (folder / "models" / "my_helper.py").write_text(LATE.format(place=place))
    (folder / "models" / "lib" / "deep").mkdir(parents=True)
    deep = folder / "models" / place / "my_deep.py"
    deep.parent.mkdir(exist_ok=True)
    deep.write_text(f"open({str(folder / 'canary')!r}, 'w').close()\nSCORES = [1, 0]\n")
    trust(folder / "models")
    with pytest.raises(ModelLoadError, match="my_deep is beside the model and not in its hash"):
        load(folder / "models")
    assert not (folder / "canary").exists()
    assert load_model(f"{folder / 'models' / 'my_model.py'}:Plain").labels == ("a", "b")


def test_an_environment_in_the_folder_is_the_users_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packages = folder / ".venv" / "lib" / "site-packages"
    (packages / "my_package").mkdir(parents=True)
    (packages / "my_package" / "__init__.py").write_text("")
    (packages / "my_package" / "scores.py").write_text("SCORES = [1, 0]\n")
    (folder / "my_helper.py").write_text("from my_package.scores import SCORES\n")
    monkeypatch.syspath_prepend(packages)
    trust(folder)
    assert load(folder).labels == ("a", "b")


def forge_cache(path: Path, code: str) -> None:
    """Put other code compiled into the `__pycache__` of a file, marked as not to be compared with it."""
    other = path.with_suffix(".txt")
    other.write_text(code)
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(str(other), importlib.util.cache_from_source(str(path)), invalidation_mode=unchecked)


@pytest.mark.parametrize("name", ["my_model", "my_tools.net"])
@pytest.mark.parametrize("named_by_file", [False, True])
def test_a_module_that_is_named_runs_from_the_bytes_that_were_hashed(
    folder: Path, name: str, named_by_file: bool
) -> None:
    path = folder / f"{name.replace('.', '/')}.py"
    path.write_text(MODEL.format(imports="import my_helper", scores="my_helper.SCORES"))
    canary = folder / "canary"
    for each in (path, folder / "my_tools" / "__init__.py", folder / "my_helper.py"):
        forge_cache(each, f"open({str(canary)!r}, 'w').close()\n{each.read_text()}")
    file = with_imports(read_model_file(path))
    sha256 = file.code_sha256 if named_by_file else file.sha256
    model = load_model(f"{name}:Plain", sha256=sha256, named_by_file=named_by_file)
    assert model.labels == ("a", "b")
    assert not canary.exists()
    assert inspect.getsource(sys.modules[name]) == path.read_text()


def test_a_module_that_settings_name_is_trusted_by_its_name(folder: Path, photo: bytes) -> None:
    (folder / "img.jpg").write_bytes(photo)
    (folder / "cvserve.toml").write_text('model = "my_model:Plain"\n')
    sha256 = with_imports(read_model_file(folder / "my_model.py")).code_sha256
    said = cvserve("model", "trust", "my_model:Plain", "--sha256", sha256)
    assert (said.code, said.out) == (0, f"{sha256}\n")
    assert cvserve("predict", "--no-history", "img.jpg").code == 0


def test_the_command_that_trusts_it_covers_its_helpers(folder: Path, photo: bytes) -> None:
    (folder / "img.jpg").write_bytes(photo)
    said = cvserve("predict", "img.jpg")
    assert said.code == 5
    sha256 = said.err.partition("SHA-256 ")[2][:64]
    assert cvserve("model", "trust", "my_model.py", "--sha256", sha256).code == 0
    assert set(json.loads(store_path().read_text())[sha256]["parts"]) == {
        *("my_model.py", "my_helper", "my_tools", "my_tools.colour"),
    }
    assert cvserve("predict", "img.jpg").code == 0
    (folder / "my_helper.py").write_text("SCORES = [1, 0]\n")
    said = cvserve("predict", "img.jpg")
    assert said.code == 5
    assert "my_helper, my_tools, my_tools.colour changed since" in said.err


@pytest.fixture
def little_memory() -> Iterator[None]:
    """2 GiB more than the process has, so that a file of 40 GB cannot be read whole."""
    limits = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm", encoding="ascii") as file:
        has = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (has + 2 * 1024**3, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, limits)


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("name", ["my_helper.py", "my_tools/colour.py"])
def test_code_of_any_size_is_not_read(folder: Path, name: str) -> None:
    os.truncate(folder / name, 40 * 10**9)
    with pytest.raises(ModelLoadError) as caught:
        load(folder)
    assert str(caught.value) == (
        f"'my_model.py' imports '{folder / name}', which cannot be read: it has 40,000,000,000 bytes, and at most "
        "2,097,152 are read."
    )


def test_neither_is_a_large_file_of_a_class(folder: Path) -> None:
    with (folder / "my_model.py").open("a") as file:
        file.write("#" * 2 * 1024**2)
    with pytest.raises(ModelLoadError, match=r"my_model.py' has 2,\d+,\d+ bytes; at most 2,097,152 are read"):
        load(folder)


def test_all_code_together_is_bounded(folder: Path) -> None:
    names = [f"my_{index}" for index in range(9)]
    for name in names:
        (folder / f"{name}.py").write_text("\n" * 2 * 1024**2)
    source = f"import {', '.join(names)}".encode()
    with pytest.raises(OSError, match="and at most 16,777,216 of all code beside it are read"):
        find_imports(folder / "my_model.py", source)


@pytest.mark.parametrize(
    "text",
    ["import my_tools.colour" + ", my_tools.colour" * 40_000, "import my_none" + ".a" * 20_000],
    ids=["often", "deep"],
)
def test_names_are_looked_for_once_and_no_deeper_than_folders(folder: Path, text: str) -> None:
    (folder / "my_tools" / "__init__.py").write_text("\n" * 2**20)
    before = resource.getrusage(resource.RUSAGE_SELF)
    find_imports(folder / "my_model.py", text.encode())
    after = resource.getrusage(resource.RUSAGE_SELF)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 2
