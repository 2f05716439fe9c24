"""A trusted file does not lend its trust to what it imports, whatever a file of settings names in it."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cvserve.errors import Unsafe
from cvserve.predictor.models.code.trust import record
from cvserve.predictor.models.files.file import read_model_file, with_imports
from support.models import load_model
from support.own_models import PLAIN, SIZE

IMPORTS = "from os import system\nfrom subprocess import run\nfrom my_net import Other\n"


@pytest.fixture
def trusted(write: Callable[..., Path]) -> Iterator[Path]:
    """A file that somebody vouches for, with an honest class, a function and an object, and one that it imports."""
    finders = list(sys.meta_path)
    write(PLAIN.replace("class Plain", "class Other"), "my_net.py")
    path = write(f"{IMPORTS}{PLAIN}\ndef make(): return Plain()\nready = Plain()\n", toml=SIZE)
    file = with_imports(read_model_file(path))
    record(file.code_sha256, path, file.size)
    yield path
    sys.meta_path[:] = finders  # what is vouched for stays so in a process


@pytest.mark.parametrize(("name", "argument"), [("run", "args"), ("system", "command")])
def test_a_file_of_settings_cannot_name_what_the_code_imports(trusted: Path, name: str, argument: str) -> None:
    mark = trusted.with_name("ran")
    arguments = f'{argument} = "touch {mark}"' + (", shell = true" if name == "run" else "")
    trusted.with_suffix(".toml").write_text(f"[model]\nargs = {{ {arguments} }}\n{SIZE}")
    with pytest.raises(Unsafe, match=rf"names '{name}' in 'my_model.py', which only imports it from"):
        load_model(f"{trusted}:{name}", named_by_file=True)
    assert not mark.exists()


@pytest.mark.parametrize("name", ["Plain", "make", "ready", "Other"])
def test_it_may_name_what_was_vouched_for(trusted: Path, name: str) -> None:
    assert load_model(f"{trusted}:{name}", named_by_file=True).labels == ("dark", "light")
