"""Files read once, replaced whole, and the user's own folders."""

import os
import stat
import time
from pathlib import Path

import pytest

from cvserve.files import (
    LeadsOut,
    find_birth_s,
    is_inside,
    make_folders,
    read_inside,
    read_once,
    replace_file,
    xdg_folder,
)
from cvserve.predictor.backends.sklearn.cache import read_cached, write_cached


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir()
    return tmp_path / "folder"


def test_a_file_is_read_up_to_a_limit(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    assert read_once(path, 5)[0] == b"12345"
    data, status = read_once(path, 4)
    assert (data, status.st_size) == (b"", 5)


def test_what_is_no_file_is_not_read_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    data, status = read_once(tmp_path / "pipe", 5)
    assert data == b""
    assert stat.S_ISFIFO(status.st_mode)


def test_a_link_is_followed_only_where_that_was_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "link").symlink_to("a")
    assert read_once(tmp_path / "link", 5)[0] == b"1"
    with pytest.raises(OSError, match="symbolic links"):
        read_once(tmp_path / "link", 5, follow=False)


def test_what_is_inside_a_folder_is_read_also_through_links(folder: Path) -> None:
    (folder / "versions" / "1").mkdir(parents=True)
    (folder / "versions" / "1" / "a").write_bytes(b"1")
    (folder / "now").symlink_to("versions/1")
    (folder / "a").symlink_to("now/a")
    (folder.parent / "folder-by-another-name").symlink_to(folder)
    for name in ("a", "now/a", "versions/1/a"):
        assert read_inside(folder, name, 5)[0] == b"1"
        assert read_inside(folder.parent / "folder-by-another-name", name, 5)[0] == b"1"
    with pytest.raises(FileNotFoundError):
        read_inside(folder, "none", 5)
    with pytest.raises(NotADirectoryError):
        read_inside(folder, "a/b", 5)


@pytest.mark.parametrize("way", ["file", "folder", "nowhere", "round", "up", "absolute"])
def test_what_leads_out_of_a_folder_is_not_read(folder: Path, way: str) -> None:
    outside = folder.parent / "folder-2"
    outside.mkdir()
    (outside / "a").write_bytes(b"1")
    (folder / "file").symlink_to("../folder-2/a")
    (folder / "sub").symlink_to("../folder-2")
    (folder / "nowhere").symlink_to("/nowhere/a")
    (folder / "round").symlink_to("../folder/../folder-2/a")
    names = {"folder": "sub/a", "up": "../folder-2/a", "absolute": str(outside / "a")}
    with pytest.raises(LeadsOut) as out:
        read_inside(folder, names.get(way, way), 5)
    assert out.value.target == (Path("/nowhere/a") if way == "nowhere" else outside / "a")


@pytest.mark.parametrize("swapped", ["a", "sub"])
def test_what_is_swapped_for_a_link_meanwhile_is_not_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch, swapped: str
) -> None:
    """A stranger who is quick: between the look at where a name leads and the opening it becomes a link."""
    outside = folder.parent / "outside"
    for each in (folder / "sub", outside):
        each.mkdir()
        (each / "a").write_bytes(b"1")
    (folder / "a").write_bytes(b"1")
    really_open = os.open

    def swap_and_open(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if not (folder / swapped).is_symlink():
            (folder / swapped).rename(folder.parent / "before")
            (folder / swapped).symlink_to(outside / "a" if swapped == "a" else outside)
        return really_open(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", swap_and_open)
    with pytest.raises(OSError, match=r"Too many levels of symbolic links|Not a directory"):
        read_inside(folder, "a" if swapped == "a" else "sub/a", 5)
    assert (folder / swapped).is_symlink()


def test_all_folders_that_are_made_are_for_this_user_alone(folder: Path) -> None:
    before = os.umask(0)
    try:
        make_folders(folder / "a" / "b" / "c")
    finally:
        os.umask(before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*")} == {0o700}
    make_folders(folder / "a")
    (folder / "file").write_text("")
    with pytest.raises(FileExistsError):
        make_folders(folder / "file")


@pytest.mark.parametrize(("mode", "wanted"), [(0o666, 0o644), (0o600, 0o600)])
def test_a_file_is_made_with_its_mode_and_replaced(folder: Path, mode: int, wanted: int) -> None:
    before = os.umask(0o022)
    try:
        for data in (b"old", b"new"):
            replace_file(folder / "a", data, mode=mode, sync=True)
            assert (folder / "a").read_bytes() == data
    finally:
        os.umask(before)
    assert stat.S_IMODE((folder / "a").stat().st_mode) == wanted
    assert os.listdir(folder) == ["a"]


@pytest.mark.parametrize("sync", [True, False])
def test_a_file_is_synced_before_it_takes_its_place_if_that_is_asked_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch, sync: bool
) -> None:
    synced: list[tuple[bytes, bool]] = []

    def note(descriptor: int) -> None:
        written = Path(f"/proc/self/fd/{descriptor}").read_bytes()
        synced.append((written, (folder / "a").exists()))

    monkeypatch.setattr(os, "fsync", note)
    replace_file(folder / "a", b"data", sync=sync)
    assert synced == ([(b"data", False)] if sync else [])


def test_a_reader_keeps_the_old_file(folder: Path) -> None:
    replace_file(folder / "a", b"old")
    with open(folder / "a", "rb") as reader:
        replace_file(folder / "a", b"new")
        assert reader.read() == b"old"


def test_a_link_is_replaced_and_what_it_led_to_left_alone(folder: Path) -> None:
    (folder / "other").write_bytes(b"theirs")
    (folder / "a").symlink_to("other")
    replace_file(folder / "a", b"mine")
    assert not (folder / "a").is_symlink()
    assert (folder / "other").read_bytes() == b"theirs"


def test_where_it_cannot_be_replaced_no_draft_is_left(folder: Path) -> None:
    (folder / "a").mkdir()
    with pytest.raises(OSError, match="directory"):
        replace_file(folder / "a", b"new")
    assert os.listdir(folder) == ["a"]
    with pytest.raises(FileNotFoundError):
        replace_file(folder / "none" / "a", b"new")


@pytest.mark.parametrize(
    ("value", "folder"),
    [("/x", "/x/cvserve"), ("relative", "/home/ada/.cache/cvserve"), ("", "/home/ada/.cache/cvserve")],
)
def test_the_users_folder_is_named_by_a_variable_or_below_home(
    monkeypatch: pytest.MonkeyPatch, value: str, folder: str
) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.setenv("XDG_CACHE_HOME", value)
    assert xdg_folder("XDG_CACHE_HOME", ".cache") == Path(folder)


def test_without_a_home_there_is_no_folder_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "~")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    with pytest.raises(FileNotFoundError, match="set HOME or XDG_CACHE_HOME"):
        xdg_folder("XDG_CACHE_HOME", ".cache")
    assert read_cached("a") is None
    assert not write_cached("a", b"x")
    assert os.listdir() == []


def test_inside_is_where_links_lead(folder: Path) -> None:
    (folder / "in").mkdir()
    (folder / "in" / "out").symlink_to("..")
    (folder / "near").symlink_to("in")
    assert is_inside(folder / "near" / "none", folder / "in")
    assert is_inside(folder, folder)
    assert not is_inside(folder / "in" / "out", folder / "in")
    assert not is_inside(f"{folder}-2", folder)


def test_when_a_file_was_made_is_not_for_others_to_set(folder: Path) -> None:
    before_s = time.time() - 5
    (folder / "a").write_bytes(b"")
    os.utime(folder / "a", (1, 1))
    born_at_s = find_birth_s(folder / "a")
    assert born_at_s is None or before_s < born_at_s < time.time() + 5
    assert find_birth_s(folder / "none") is None
