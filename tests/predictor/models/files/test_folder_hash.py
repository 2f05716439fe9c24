"""Weights of a class of one's own may be a folder: what is in it is part of the version, and nothing else is read."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cvserve.errors import ModelLoadError, Unsafe
from support.models import load_model
from support.own_models import PLAIN, SIZE

READS = "    def setup(self): self.factor = float((self.weights / 'parts' / 'factor.txt').read_text())\n\n    def infer"


@pytest.fixture
def weights(home: Path) -> Iterator[Path]:
    """A folder from which `folder_model.py` reads one file; another is beside that."""
    (home / "folder_model.py").write_text(PLAIN.replace("    def infer", READS))
    (home / "folder_model.toml").write_text(SIZE)
    folder = home / "weights"
    (folder / "parts").mkdir(parents=True)
    (folder / "parts" / "factor.txt").write_text("0.5")
    (folder / "config.json").write_text("{}")
    yield folder
    sys.modules.pop("folder_model", None)


def version(weights: Path) -> str:
    return load_model("folder_model.py:Plain", weights=weights).info.version


def test_each_byte_and_each_name_counts(weights: Path) -> None:
    versions = [version(weights)]
    (weights / "parts" / "factor.txt").write_text("0.25")
    versions.append(version(weights))
    (weights / "config.json").rename(weights / "settings.json")
    versions.append(version(weights))
    (weights / "parts" / "more.txt").write_text("")
    versions.append(version(weights))
    assert len(set(versions)) == 4
    (weights / ".cache").mkdir()
    (weights / ".cache" / "when").write_text("now")
    (weights / "__pycache__").mkdir()
    (weights / "__pycache__" / "x.pyc").write_bytes(b"x")
    assert version(weights) == versions[-1]
    weights.rename(weights.with_name("moved"))
    assert version(weights.with_name("moved")) == versions[-1]


def test_a_link_within_the_folder_is_followed(weights: Path) -> None:
    (weights / "latest.json").symlink_to("config.json")
    assert version(weights)


@pytest.mark.parametrize("target", ["/etc/hostname", "../folder_model.py", "/etc"])
def test_nothing_outside_is_read(weights: Path, target: str) -> None:
    (weights / "link").symlink_to(target)
    with pytest.raises(Unsafe, match=r"link' leads out of its folder, to '.*'; put a copy in its place"):
        version(weights)


def test_what_is_no_file_or_open_to_everybody_is_refused(weights: Path) -> None:
    os.mkfifo(weights / "pipe")
    with pytest.raises(ModelLoadError, match=r"pipe' is no regular file"):
        version(weights)
    (weights / "pipe").unlink()
    (weights / "config.json").chmod(0o666)
    with pytest.raises(Unsafe, match=r"Everybody may replace the weights .*config\.json.*chmod o-w"):
        version(weights)


def test_a_folder_has_bounds(weights: Path) -> None:
    for index in range(2000):
        (weights / f"{index}").touch()
    with pytest.raises(ModelLoadError, match="has over 2,000 files"):
        version(weights)
    for file in [file for file in weights.rglob("*") if file.is_file()]:
        file.unlink()
    with pytest.raises(ModelLoadError, match="has no files"):
        version(weights)
    with (weights / "huge").open("wb") as huge:
        huge.truncate(8 * 1024**3 + 1)  # of holes
    with pytest.raises(ModelLoadError, match="has over 8,589,934,592 bytes"):
        version(weights)
