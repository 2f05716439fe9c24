import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from cvserve.cli import main
from support.command import Said
from support.drawings import drawn_four


@pytest.fixture(autouse=True)
def config_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("config") / "config-home"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder))
    return folder


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """The console script, in this process."""

    def call(*arguments: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["cvserve", *arguments])
        monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capsys.readouterr()
        return Said(int(end.value.code or 0), out, err)

    return call


@pytest.fixture
def four(home: Path) -> Path:
    """A photo of a digit in the working folder."""
    path = home / "four.jpg"
    path.write_bytes(drawn_four())
    return path
