"""The container without an engine: its file is read, and what its steps do is done by hand."""

import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cvserve.files import is_inside
from support.dockerfile import is_sent, stages
from support.pages import ROOT
from support.pictures import digit_photo

USER = 10001
pytestmark = pytest.mark.slow


def test_two_stages_a_numeric_user_and_a_health_check() -> None:
    build, final = stages()
    user, group = final.last("USER").split(":")
    assert (int(user), int(group) > 0) == (USER, True)
    assert final.command("ENTRYPOINT") == ["cvserve"]
    assert final.command("CMD") == ["serve", "--host", "0.0.0.0", "--public-health"]
    assert final.command("HEALTHCHECK") == ["cvserve", "health"]
    assert final.last("VOLUME") == final.environment()["CVSERVE_HOME"] == "/data"
    assert "--from=build" in final.last("COPY")
    # What is mounted may be a stranger's: a record of trust that lies in it would vouch for itself.
    assert not is_inside(final.environment()["HOME"], "/data")
    assert final.environment()["HOME"] in final.last("RUN").split()
    assert build.image == final.image


def test_the_build_gets_what_it_copies_and_nothing_else() -> None:
    copied = [word for name, rest in stages()[0].steps if name == "COPY" for word in rest.split()[:-1]]
    for name in copied:
        assert (ROOT / name).exists()
        assert is_sent(ROOT / name)
    for name in ("tests/conftest.py", ".git/HEAD", "cvserve.db", "src/cvserve/.env", ".env", "docs/cli.md"):
        assert not is_sent(ROOT / name)


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder that other users may enter, which pytest's own may not be."""
    with tempfile.TemporaryDirectory(prefix="cvserve-container-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def installed(place: Path) -> Path:
    """The scripts of an environment that holds the wheel and what it asks for, and nothing of it can be written."""
    context = place / "context"
    for file in ROOT.rglob("*"):
        if file.is_file() and ".git" not in file.parts and "site-packages" not in file.parts and is_sent(file):
            target = context / file.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)
    wheels = place / "wheels"
    _run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(wheels), str(context)])
    (wheel,) = wheels.glob("*.whl")
    _run([_python_for_others(), "-m", "venv", str(place / "environment")])
    scripts = place / "environment" / "bin"
    _run([str(scripts / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(wheel)])
    for path in (place / "environment").rglob("*"):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
    return scripts


@pytest.fixture
def data(place: Path) -> Iterator[Path]:
    """The volume."""
    folder = place / "data"
    folder.mkdir(mode=0o770)
    if os.geteuid() == 0:
        os.chown(folder, USER, USER)
    (place / "img.jpg").write_bytes(digit_photo("4"))
    yield folder
    shutil.rmtree(folder)


def test_runs_as_another_user_with_a_read_only_package(installed: Path, data: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        "PATH": f"{installed}:{os.environ['PATH']}",
        "CVSERVE_HOME": str(data),
        "HOME": str(data.parent / "no-home"),
        "XDG_CACHE_HOME": str(data / ".cache"),
        "PORT": str(port),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    final = stages()[1]
    entry = [str(installed / word) for word in final.command("ENTRYPOINT")]
    health = [str(installed / "cvserve"), *final.command("HEALTHCHECK")[1:]]
    assert _as_user(health, data, environment).returncode == 1  # nobody there yet
    server = subprocess.Popen(
        [*entry, *final.command("CMD")], cwd=data, env=environment, stderr=subprocess.PIPE, text=True, **_user()
    )
    try:
        assert server.stderr
        said = server.stderr.readline()
        assert "cvserve serves digits" in said
        assert _as_user(health, data, environment).returncode == 0
        command = [*entry, "predict", "--json", str(data.parent / "img.jpg")]
        answer = _as_user(command, data, environment)
        assert json.loads(answer.stdout)[0]["label"] == "4", answer.stderr
        owner = (data / "cvserve.db").stat()
        assert owner.st_uid == (USER if os.geteuid() == 0 else os.geteuid())
        assert stat.S_IMODE(owner.st_mode) == 0o600
    finally:
        server.terminate()
        assert server.wait(timeout=40) == 0
        if server.stderr:
            server.stderr.close()


def _user() -> dict[str, Any]:
    return {"user": USER, "group": USER, "extra_groups": []} if os.geteuid() == 0 else {}


def _as_user(command: list[str], folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False, **_user()
    )


def _run(command: list[str]) -> None:
    ended = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert ended.returncode == 0, ended.stderr


def _python_for_others() -> str:
    """An interpreter that another user can start too: one in somebody's home folder may be out of reach."""
    candidates = [os.path.realpath(sys.executable), "/usr/bin/python3", "/usr/local/bin/python3"]
    for candidate in filter(os.path.exists, candidates):
        check = "import ensurepip, venv, sys; sys.exit(sys.version_info < (3, 11))"
        try:
            ended = subprocess.run([candidate, "-c", check], capture_output=True, check=False, cwd="/", **_user())
        except PermissionError:
            continue
        if ended.returncode == 0:
            return candidate
    pytest.skip("no Python 3.11 that another user can start")
