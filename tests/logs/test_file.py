"""LogFile: no line lost or torn, whatever happens to the file."""

import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cvserve.errors import CannotStart, Unsafe
from cvserve.logs.access import AccessLog, AccessRecord
from cvserve.logs.file import LogFile
from support.disk import fill, mounted_disk
from support.waiting import wait_until


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "log"
    folder.mkdir()
    return folder / "output.log"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with mounted_disk(tmp_path / "disk", "64k") as folder:
        yield folder


def written(path: Path, *lines: str, **options: int) -> None:
    file = LogFile(path, **options)
    for line in lines:
        file.write_lines(f"{line}\n")
    file.close()


def all_lines(folder: Path) -> list[str]:
    """Of all files, rotated ones first."""
    files = [*sorted(folder.glob("output.*.log")), folder / "output.log"]
    return [line for file in files for line in file.read_text().splitlines()]


def test_file_can_be_read_by_the_group_and_written_by_its_owner(path: Path) -> None:
    old = os.umask(0o022)
    try:
        written(path, "a")
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_line_is_in_the_file_when_the_call_returns(path: Path) -> None:
    file = LogFile(path)
    for number in range(3):
        file.write_lines(f"{number}\n")
        assert path.read_text().splitlines()[-1] == str(number)
    file.close()


def test_lines_are_appended_after_a_restart(path: Path) -> None:
    written(path, "a", "b")
    written(path, "c")
    assert path.read_text() == "a\nb\nc\n"


def test_half_a_line_of_a_power_cut_is_ended_before_the_next(path: Path) -> None:
    path.write_text("whole\nhal")
    written(path, "next")
    assert path.read_text() == "whole\nhal\nnext\n"


def test_rotation_loses_nothing_and_deletes_nothing(path: Path) -> None:
    lines = [f"line {number:04}" for number in range(500)]
    written(path, *lines, rotate_bytes=200)
    assert all_lines(path.parent) == lines
    files = list(path.parent.iterdir())
    assert len(files) == 25
    assert all(file.stat().st_size <= 200 for file in files)


def test_keep_deletes_only_what_was_rotated_here(path: Path) -> None:
    others = ["output.1.log", "output.for-the-audit.log", "output.2020-01-01T00-00-00-000000.old.log"]
    for name in others:
        (path.parent / name).write_text("theirs")
    written(path, *[f"{number:0100}" for number in range(9)], rotate_bytes=200, keep=0)
    assert sorted(file.name for file in path.parent.iterdir()) == sorted([*others, path.name])


@pytest.mark.parametrize("keep", [0, 1, 3])
def test_keep_leaves_the_newest_rotated_files(path: Path, keep: int) -> None:
    lines = [f"line {number:04}" for number in range(500)]
    written(path, *lines, rotate_bytes=200, keep=keep)
    assert len(list(path.parent.iterdir())) == keep + 1
    left = all_lines(path.parent)
    assert left == lines[-len(left) :]


def test_line_longer_than_a_file_is_written_all_the_same(path: Path) -> None:
    written(path, "x" * 500, "y", rotate_bytes=100)
    assert all_lines(path.parent) == ["x" * 500, "y"]


@pytest.mark.parametrize("how", ["rename", "rename and create", "remove", "truncate"])
def test_file_that_somebody_takes_away_is_made_again(path: Path, how: str) -> None:
    file = LogFile(path)
    file.write_lines("before\n")
    if how.startswith("rename"):
        path.rename(path.with_name("output.log.1"))
    elif how == "remove":
        path.unlink()
    else:
        os.truncate(path, 0)
    if how == "rename and create":
        path.touch()
    count = 0

    def is_there() -> bool:
        nonlocal count
        count += 1
        file.write_lines(f"after {count}\n")
        return path.exists() and f"after {count}\n" in path.read_text()

    wait_until(is_there)
    file.close()
    if how.startswith("rename"):
        old = path.with_name("output.log.1").read_text().splitlines()
        assert [*old, *path.read_text().splitlines()] == ["before", *(f"after {n}" for n in range(1, count + 1))]
    assert "\0" not in path.read_text()


@pytest.mark.parametrize("kind", ["symlink", "dangling symlink", "fifo", "folder", "hard link"])
def test_what_is_no_file_of_ours_is_refused(path: Path, kind: str) -> None:
    other = path.with_name("other")
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "dangling symlink":
        path.symlink_to(other)
    else:
        other.write_text("precious\n")
        path.symlink_to(other) if kind == "symlink" else path.hardlink_to(other)
    with pytest.raises(Unsafe) as error:
        LogFile(path)
    assert error.value.exit_code == 4
    assert not other.exists() or other.read_text() == "precious\n"


def test_folder_that_is_not_there_is_told(path: Path) -> None:
    with pytest.raises(CannotStart, match="cannot be written"):
        LogFile(path.parent / "nowhere" / "output.log")


def test_folder_that_is_taken_away_while_running_does_no_harm(path: Path) -> None:
    file = LogFile(path, rotate_bytes=100)
    file.write_lines("a\n")
    path.unlink()
    path.parent.rmdir()
    for number in range(100):
        file.write_lines(f"{number}\n")
    file.close()


def test_full_disk_keeps_lines_whole_and_writes_them_when_there_is_room(small_disk: Path) -> None:
    path = small_disk / "output.log"
    ballast = small_disk / "ballast"
    file = LogFile(path)
    ballast.write_bytes(b"x" * 40 * 1024)
    lines = [f"line {number:05} {'x' * 100}" for number in range(400)]
    for line in lines:
        file.write_lines(line + "\n")
    assert file.lines_waiting > 100
    assert path.read_text() == "".join(f"{line}\n" for line in lines[: 400 - file.lines_waiting])
    ballast.unlink()
    file.write_lines("room again\n")
    assert file.lines_waiting == 0
    assert path.read_text().splitlines() == [*lines, "room again"]
    assert file.lines_lost == 0
    file.close()


def test_line_that_waits_is_written_at_the_end(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.touch()
    file = LogFile(small_disk / "output.log")
    fill(ballast)
    file.write_lines("late\n")
    assert file.lines_waiting == 1
    ballast.unlink()
    file.close()
    assert (small_disk / "output.log").read_text() == "late\n"


def test_lines_that_no_memory_is_left_for_are_counted(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    file = LogFile(small_disk / "output.log")
    fill(ballast)
    for number in range(10_003):
        file.write_lines(f"{number}\n")
    assert (file.lines_waiting, file.lines_lost) == (10_000, 3)
    file.close()


def test_lines_of_several_threads_are_whole(path: Path) -> None:
    log = AccessLog(path)

    def write(who: str) -> None:
        for _ in range(200):
            log.write(AccessRecord("c", who, "GET", "/", 200, 1.0, 0, 0, None, who * 50, None))

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    ends = [line.rpartition("req=")[2] for line in path.read_text().splitlines()]
    assert sorted(ends) == sorted(name * 50 for name in "abcd" for _ in range(200))
