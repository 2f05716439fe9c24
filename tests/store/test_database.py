"""Opening `cvserve.db`: who may read it, what is refused and stays as it was, two who begin at once."""

import hashlib
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cvserve.errors import CannotStart, CvserveError, HistoryUnavailable, Unsafe
from cvserve.history.history import History
from cvserve.store.database import connect, prepare_database
from cvserve.store.migrations import list_migrations
from cvserve.store.sqlite import sqlite3
from support.command import cvserve
from support.predictions import prediction

NOBODY = 65534


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def database(path: Path) -> Path:
    with History.open(path) as history:
        history.add(prediction(), source="cli")
    return path


def refused(path: Path, kind: type[CvserveError], words: str) -> None:
    """The file is refused in one sentence, by the library and the command line, and stays as it was."""
    before = digest(path) if path.is_file() else ""
    listed = sorted(os.listdir(path.parent))
    with pytest.raises(kind, match=words) as error:
        prepare_database(path)
    assert "\n" not in str(error.value)
    for command in (["history"], ["token", "list"], ["token", "new", "x"]):
        said = cvserve(*command, "--home", str(path.parent))
        assert said.code == kind.exit_code
        assert (said.out, said.err.count("\n")) == ("", 1), said.err
    assert (digest(path) if path.is_file() else "") == before
    assert sorted(os.listdir(path.parent)) == listed


NOTE_WHAT_IS_LOADED = """
import sys
from pathlib import Path
from cvserve.store import database

connect = database.connect

def note_and_connect(*arguments, **options):
    print("sqlite_utils" in sys.modules)
    return connect(*arguments, **options)

database.connect = note_and_connect
database.prepare_database(Path(sys.argv[1]))
"""


def test_what_is_slow_to_load_is_loaded_before_the_database_is_locked(home: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", NOTE_WHAT_IS_LOADED, str(home / "cvserve.db")],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert ended.stdout == "True\n"


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_nobody_else_can_read_any_of_the_files(home: Path, mask: int) -> None:
    old = os.umask(mask)
    try:
        with History.open(home) as history:
            history.add(prediction())
            names = sorted(path.name for path in home.iterdir())
            assert names == ["cvserve.db", "cvserve.db-shm", "cvserve.db-wal"]
            assert {mode(home / name) for name in names} == {0o600}
    finally:
        os.umask(old)


def test_the_file_is_private_from_its_first_byte(home: Path) -> None:
    seen = []

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        path = home / "cvserve.db"
        if event in ("open", "sqlite3.connect", "sqlite3.connect/handle", "os.chmod") and path.exists():
            seen.append(mode(path))

    sys.addaudithook(watch)
    old = os.umask(0)
    try:
        database(home)
    finally:
        os.umask(old)
    assert set(seen) <= {0o600}
    code = "import os,sys; os.umask(0)\nfrom cvserve.store.database import prepare_database\nfrom pathlib import Path\n"
    trace = "sys.addaudithook(lambda e, a: print(a[2]) if e == 'open' and str(a[0]).endswith('.db') else None)\n"
    folder = home / "second"
    run = [sys.executable, "-c", code + trace + f"prepare_database(Path({str(folder)!r}) / 'cvserve.db')"]
    subprocess.run(run, check=True, timeout=30)
    assert mode(folder / "cvserve.db") == 0o600
    assert mode(folder) == 0o700


def test_a_link_is_refused(home: Path) -> None:
    database(home)
    folder = home / "other"
    folder.mkdir()
    (folder / "cvserve.db").symlink_to(home / "cvserve.db")
    refused(folder / "cvserve.db", Unsafe, "link")


def test_a_link_to_nothing_is_refused_and_makes_nothing(home: Path) -> None:
    folder = home / "other"
    folder.mkdir()
    (folder / "cvserve.db").symlink_to(home / "target")
    with pytest.raises(Unsafe, match="link"):
        prepare_database(folder / "cvserve.db")
    assert not (home / "target").exists()


def test_a_second_name_of_the_file_is_refused(home: Path) -> None:
    database(home)
    folder = home / "other"
    folder.mkdir()
    os.link(home / "cvserve.db", folder / "cvserve.db")
    refused(folder / "cvserve.db", Unsafe, "link")


@pytest.mark.parametrize("suffix", ["-wal", "-shm"])
@pytest.mark.parametrize("link", [os.link, os.symlink], ids=["hard", "symbolic"])
def test_a_neighbour_that_has_a_second_name_is_refused(home: Path, suffix: str, link: Callable[..., None]) -> None:
    (home / "history").mkdir(mode=0o700)
    path = database(home / "history") / "cvserve.db"
    precious = home / "precious"
    precious.write_text("mine")
    link(precious, f"{path}{suffix}")
    refused(path, Unsafe, f"cvserve.db{suffix}' is a link")
    assert precious.read_text() == "mine"


@pytest.mark.parametrize("bits", [0o640, 0o644, 0o604, 0o660, 0o601])
def test_a_file_that_others_can_read_is_refused(home: Path, bits: int) -> None:
    path = database(home) / "cvserve.db"
    path.chmod(bits)
    refused(path, Unsafe, f"mode 0{bits:o}.*chmod 600")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_another_user_is_refused(home: Path) -> None:
    path = database(home) / "cvserve.db"
    os.chown(path, NOBODY, NOBODY)
    refused(path, Unsafe, "another user")


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_file_is_refused(home: Path, kind: str) -> None:
    path = home / "cvserve.db"
    os.mkdir(path) if kind == "folder" else os.mkfifo(path)
    refused(path, Unsafe, "no regular file")


@pytest.mark.parametrize(
    "content",
    [
        b"x",
        b"SQLite format",
        b"SQLite format 3\0" + b"x" * 600,
        b"hello world, this is no database\n" * 100,
        b"\0" * 4096,
    ],
)
def test_a_file_that_is_no_database_is_refused(home: Path, content: bytes) -> None:
    path = home / "cvserve.db"
    path.write_bytes(content)
    path.chmod(0o600)
    refused(path, HistoryUnavailable, "is not a database")


def foreign(path: Path, sql: str) -> Path:
    connection = sqlite3.connect(path)
    connection.executescript(sql)
    connection.close()
    path.chmod(0o600)
    return path


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT); INSERT INTO notes VALUES (1, 'mine');",
        "CREATE TABLE predictions (id INTEGER PRIMARY KEY);",
        "CREATE TABLE notes (x);"
        "CREATE TABLE _sqlite_migrations (id INTEGER, migration_set TEXT, name TEXT, applied_at TEXT);"
        "INSERT INTO _sqlite_migrations VALUES (1, 'other', 'm001', 'now');",
    ],
)
def test_a_database_of_another_program_is_refused(home: Path, sql: str) -> None:
    refused(foreign(home / "cvserve.db", sql), HistoryUnavailable, "another program")


def test_a_database_of_a_newer_cvserve_is_refused(home: Path) -> None:
    path = database(home) / "cvserve.db"
    foreign(
        path, "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('cvserve', 'm999_later', 'x');"
    )
    refused(path, CannotStart, "newer cvserve.*m999_later.*upgrade")


@pytest.mark.parametrize("left", [100, 4096, 5000, 20_000])
def test_a_database_that_was_cut_off_is_refused(home: Path, left: int) -> None:
    path = database(home) / "cvserve.db"
    path.write_bytes(path.read_bytes()[:left])
    refused(path, HistoryUnavailable, "damaged|is not a database")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user to be")
@pytest.mark.parametrize("exists", [True, False])
def test_a_read_only_folder_is_refused_and_left_as_it_was(tmp_path: Path, exists: bool) -> None:
    folder = tmp_path / "shown"
    folder.mkdir()
    if exists:
        path = database(folder) / "cvserve.db"
        os.chown(path, NOBODY, NOBODY)
    before = digest(folder / "cvserve.db") if exists else ""
    for part in (tmp_path, *tmp_path.parents):
        if part.stat().st_uid == os.geteuid() and part != Path("/"):
            part.chmod(part.stat().st_mode | 0o055) if str(part).startswith("/tmp/") else None
    program = [
        "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
        sys.executable, "-m", "cvserve", "token", "new", "x", "--home", str(folder),
    ]  # fmt: skip
    ended = subprocess.run(
        program, capture_output=True, text=True, cwd="/", timeout=30, check=False,
        env={"PATH": os.environ["PATH"], "HOME": "/", "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (3, ""), ended.stderr
    assert ended.stderr.count("\n") == 1
    assert str(folder) in ended.stderr
    assert sorted(os.listdir(folder)) == (["cvserve.db"] if exists else [])
    assert (digest(folder / "cvserve.db") if exists else "") == before


def test_a_folder_that_everybody_can_write_is_refused(home: Path) -> None:
    folder = home / "open"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(Unsafe, match="everybody"):
        prepare_database(folder / "cvserve.db")


def test_a_home_below_a_file_cannot_be(home: Path) -> None:
    (home / "file").write_text("x")
    for place in ("file", "file/deeper"):
        with pytest.raises(CannotStart, match="file"):
            prepare_database(home / place / "cvserve.db")


@pytest.mark.parametrize("round_", range(4))
def test_several_processes_may_make_the_same_database_at_once(home: Path, round_: int) -> None:
    program = (
        "import sys; from pathlib import Path; from cvserve.history.history import History\n"
        "from support.predictions import prediction\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "with History.open(Path('cvserve.db')) as h: h.add(prediction(), source='cli')\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, env=environment,
        )
        for _ in range(4)
    ]  # fmt: skip
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, said
    with History.open(home) as history:
        assert [row.id for row in history.rows()] == [1, 2, 3, 4]
        applied = [row[0] for row in history.db.execute("SELECT name FROM _sqlite_migrations").fetchall()]
    assert tuple(applied) == list_migrations()


def test_only_the_server_moves_the_wal_into_the_file(home: Path) -> None:
    path = database(home) / "cvserve.db"
    for writer, pages in ((False, 0), (True, 1000)):
        connection = connect(path, writer=writer)
        assert connection.execute("PRAGMA wal_autocheckpoint").fetchone() == (pages,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)
        assert connection.execute("PRAGMA trusted_schema").fetchone() == (0,)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        connection.close()


def test_durability_normal_leaves_the_sync_to_the_timer(home: Path) -> None:
    connection = connect(database(home) / "cvserve.db", writer=True, durability="normal")
    assert connection.execute("PRAGMA synchronous").fetchone() == (1,)
    connection.close()


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="reads the kernel's table of locks")
def test_opening_a_second_time_keeps_the_locks_of_the_first(home: Path) -> None:
    def locked() -> set[str]:
        numbers = {str(path.stat().st_ino): path.name for path in home.iterdir()}
        rows = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
        return {
            numbers[row[5].rpartition(":")[2]] for row in rows if len(row) > 5 and row[5].rpartition(":")[2] in numbers
        }

    with History.open(home) as first:
        assert len(first) == 0
        before = locked()
        assert "cvserve.db" in before
        History.open(home).close()
        assert locked() == before


def test_a_copy_of_the_file_alone_is_a_whole_database(home: Path, tmp_path: Path) -> None:
    database(home)
    copy = tmp_path / "copy"
    copy.mkdir(mode=0o700)
    shutil.copy(home / "cvserve.db", copy)
    (copy / "cvserve.db").chmod(0o600)
    with History.open(copy) as history:
        assert len(history) == 1
