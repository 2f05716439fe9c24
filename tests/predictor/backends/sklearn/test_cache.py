"""Nothing that others could have written, and nothing that is not what was written, comes out of the cache."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cvserve.predictor.backends.sklearn.cache import cache_folder, read_cached, write_cached


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of one's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/cvserve"


def test_what_was_written_is_read(folder: Path) -> None:
    assert read_cached("a") is None
    assert write_cached("a", b"one\ntwo")
    assert read_cached("a") == b"one\ntwo"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "a").stat().st_mode & 0o777 == 0o600
    assert write_cached("a", b"")
    assert read_cached("a") == b""
    assert [path.name for path in folder.iterdir()] == ["a"]


def test_it_stands_where_the_desktop_wants_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for unset in ("", "not/absolute"):
        monkeypatch.setenv("XDG_CACHE_HOME", unset)
        assert cache_folder() == tmp_path / ".cache/cvserve"


@pytest.mark.parametrize("size", [0, 10, 64, 65, 70])
def test_a_file_cut_off_is_none(folder: Path, size: int) -> None:
    write_cached("a", b"something")
    (folder / "a").write_bytes((folder / "a").read_bytes()[:size])
    assert read_cached("a") is None


def test_a_changed_byte_is_noticed(folder: Path) -> None:
    write_cached("a", b"something")
    (folder / "a").write_bytes((folder / "a").read_bytes().replace(b"some", b"Some"))
    assert read_cached("a") is None


def open_file(folder: Path) -> None:
    (folder / "a").chmod(0o622)


def open_folder(folder: Path) -> None:
    folder.chmod(0o770)


def link(folder: Path) -> None:
    (folder / "a").rename(folder / "b")
    (folder / "a").symlink_to(folder / "b")


def linked_folder(folder: Path) -> None:
    folder.rename(folder.parent / "elsewhere")
    folder.symlink_to(folder.parent / "elsewhere")


def pipe(folder: Path) -> None:
    (folder / "a").unlink()
    os.mkfifo(folder / "a", 0o600)


@pytest.mark.parametrize("harm", [open_file, open_folder, link, linked_folder, pipe])
def test_what_others_could_have_written_is_not_read(folder: Path, harm: Callable[..., Any]) -> None:
    write_cached("a", b"something")
    harm(folder)
    assert read_cached("a") is None


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a file away")
@pytest.mark.parametrize("name", ["", "a"])
def test_what_belongs_to_somebody_else_is_not_read(folder: Path, name: str) -> None:
    write_cached("a", b"something")
    os.chown(folder / name, 65534, 65534)
    assert read_cached("a") is None


def test_a_folder_that_others_may_write_to_gets_nothing(folder: Path) -> None:
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    assert not write_cached("a", b"something")
    assert list(folder.iterdir()) == []


def test_where_no_folder_can_be_nothing_is_kept(folder: Path) -> None:
    folder.parent.write_text("a file")
    assert not write_cached("a", b"something")
    assert read_cached("a") is None
