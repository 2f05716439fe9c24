"""`cvserve config trust`: by hashes, on a terminal, of files and of links; until something changes."""

import hashlib
import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import skops.io
from sklearn.neighbors import KNeighborsClassifier

from cvserve.configuration import load_configuration
from support.command import Said
from support.terminal import read_to_end

Run = Callable[..., Said]
SECRET = "s3cret-s3cret-s3cret"


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def folder(home: Path) -> Path:
    """Serves to the world, with a token and a folder of its own."""
    (home / "cvserve.toml").write_text('host = "0.0.0.0"\nhome = "../data"\ntop_k = 2\n')
    (home / ".env").write_text(f"CVSERVE_TOKEN={SECRET}\n")
    (home.parent / "data").mkdir()
    return home


def test_without_a_terminal_it_shows_what_there_is_and_asks_for_hashes(run: Run, folder: Path) -> None:
    said = run("config", "trust")
    assert (said.code, said.out) == (2, "")
    assert "--sha256 HEX" in said.err
    assert "sha256sum cvserve.toml .env" in said.err
    for name in ("cvserve.toml", ".env"):
        assert f"'{name}', SHA-256 {sha256_of(folder / name)}:" in said.err
    assert "  home is '" in said.err
    assert "  token is '***' (CVSERVE_TOKEN in .env), while host is '0.0.0.0'" in said.err
    assert "top_k" not in said.err
    assert SECRET not in said.err
    assert run("history").code == 4


def test_trust_by_hashes_lasts_until_a_file_changes(run: Run, folder: Path) -> None:
    hashes = [sha256_of(folder / name) for name in ("cvserve.toml", ".env")]
    assert run("config", "trust", "--sha256", "abc").code == 2
    said = run("config", "trust", "--sha256", "0" * 64, "--sha256", hashes[1])
    assert (said.code, said.out) == (4, "")
    assert f"'cvserve.toml' is still not trusted: its SHA-256 is {hashes[0]}" in said.err
    said = run("config", "trust", "--sha256", hashes[0], "--sha256", hashes[1])
    assert (said.code, said.out.split()) == (0, hashes)
    assert run("history").code == 0
    assert "You have trusted cvserve.toml" in run("config").err
    assert "Nothing here needs to be trusted" in run("config", "trust").err

    (folder / "cvserve.toml").write_text('home = "../data" \n')
    said = run("history")
    assert said.code == 4
    assert "home is '" in said.err
    (folder / "cvserve.toml").unlink()
    assert run("history").code == 0  # on loopback the token is for any folder to say


def test_the_same_file_in_another_folder_is_not_trusted(
    run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashes = [word for name in ("cvserve.toml", ".env") for word in ("--sha256", sha256_of(folder / name))]
    assert run("config", "trust", *hashes).code == 0
    folder.rename(tmp_path / "moved")
    monkeypatch.chdir(tmp_path / "moved")
    assert run("history").code == 4
    (tmp_path / "link").symlink_to(tmp_path / "moved")
    assert run("config", "trust", *hashes).code == 0
    monkeypatch.chdir(tmp_path / "link")
    assert run("history").code == 0  # the same folder by another name


@pytest.mark.parametrize("right", [True, False])
def test_on_a_terminal_the_beginning_of_each_hash_is_asked(run: Run, folder: Path, right: bool) -> None:
    outside, inside = pty.openpty()
    command = [sys.executable, "-m", "cvserve", "config", "trust"]
    process = subprocess.Popen(command, stdin=inside, stdout=subprocess.PIPE, stderr=inside)
    os.close(inside)
    for name in ("cvserve.toml", ".env"):
        os.write(outside, (sha256_of(folder / name)[:8] if right or name == ".env" else "y").encode() + b"\n")
    out, _ = process.communicate(timeout=60)
    said = read_to_end(outside).decode()
    assert process.returncode == (0 if right else 4)
    assert len(out.split()) == (2 if right else 0)
    assert "type the first 8 characters" in said
    assert SECRET not in said
    assert run("history").code == (0 if right else 4)


def test_nothing_to_trust_is_said(run: Run, home: Path) -> None:
    (home / ".env").write_text("MODEL_PATH=m.onnx\nCVSERVE_HOME=data\nCVSERVE_HOST=localhost\n")
    said = run("config", "trust")
    assert (said.code, said.out) == (0, "")
    assert "Nothing here needs to be trusted" in said.err


LATER = {
    "token": f"CVSERVE_TOKEN={SECRET}",
    "public_health": "CVSERVE_PUBLIC_HEALTH=1",
    "token_file": "CVSERVE_TOKEN_FILE=token.txt",
}


@pytest.mark.parametrize("name", LATER)
def test_what_a_flag_would_forbid_is_trusted_before_the_flag_is_there(run: Run, home: Path, name: str) -> None:
    (home / "token.txt").write_text(SECRET)
    (home / "token.txt").chmod(0o600)
    (home / ".env").write_text(f"{LATER[name]}\n")
    said = run("serve", "--host", "0.0.0.0")
    assert said.code == 4
    assert f"CVSERVE_{name.upper()} in the environment, or read .env and run: cvserve config trust" in said.err
    said = run("config", "trust", "--sha256", sha256_of(home / ".env"))
    assert (said.code, said.out.strip()) == (0, sha256_of(home / ".env"))
    assert SECRET not in said.err
    assert load_configuration({"host": "0.0.0.0"}).settings.host == "0.0.0.0"
    assert "You have trusted .env" in run("config").err


@pytest.mark.parametrize("name", ["host", "home"])
def test_what_an_option_overrides_now_is_trusted_for_later(run: Run, folder: Path, name: str) -> None:
    hashes = [word for file in ("cvserve.toml", ".env") for word in ("--sha256", sha256_of(folder / file))]
    assert run("config", "trust", *hashes).code == 0
    assert getattr(load_configuration().settings, name) is not None


def test_trust_in_a_path_ends_where_its_link_leads_elsewhere(run: Run, home: Path) -> None:
    (home / "cvserve.toml").write_text('home = "data"\n')
    for place in ("one", "two"):
        (home.parent / place).mkdir()
    (home / "data").symlink_to("../one")
    said = run("config", "trust")
    assert f"which leads out of the folder, to '{home.parent / 'one'}'" in said.err
    assert run("config", "trust", "--sha256", sha256_of(home / "cvserve.toml")).code == 0
    assert run("history").code == 0
    (home / "data").unlink()
    (home / "data").symlink_to("../two")
    said = run("history")
    assert said.code == 4
    assert f"to '{home.parent / 'two'}'" in said.err
    assert run("config", "trust", "--sha256", sha256_of(home / "cvserve.toml")).code == 0
    assert run("history").code == 0


def test_a_record_that_came_with_the_folder_is_not_believed(
    run: Run, folder: Path, config_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashes = [word for name in ("cvserve.toml", ".env") for word in ("--sha256", sha256_of(folder / name))]
    assert run("config", "trust", *hashes).code == 0
    shutil.copytree(config_home, folder / ".config")
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", str(folder))  # as in a container whose home is its working folder
    said = run("history")
    assert said.code == 4
    assert "lies in a folder that it would vouch for; set XDG_CONFIG_HOME" in said.err
    shutil.rmtree(folder / ".config")
    assert "config trust" in run("history").err
    said = run("config", "trust", *hashes)
    assert (said.code, said.out) == (4, "")
    assert "set XDG_CONFIG_HOME" in said.err
    assert not (folder / ".config").exists()
    # By another name it is the same folder.
    (folder.parent / "link").symlink_to(folder)
    shutil.copytree(config_home, folder / ".config")
    monkeypatch.setenv("HOME", str(folder.parent / "link"))
    assert "set XDG_CONFIG_HOME" in run("history").err


def test_without_a_home_folder_nothing_is_trusted_and_none_is_made(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", "~")  # what is left of `~` where nobody knows the user
    assert "cvserve config trust" in run("history").err
    said = run("config", "trust", *[word for name in LATER for word in ("--sha256", "0" * 64)])
    assert said.code == 4
    hashes = [word for name in ("cvserve.toml", ".env") for word in ("--sha256", sha256_of(folder / name))]
    said = run("config", "trust", *hashes)
    assert (said.code, said.out) == (4, "")
    assert "there is no home folder; set HOME or XDG_CONFIG_HOME" in said.err
    assert not (folder / "~").exists()


@pytest.mark.parametrize("by", ["--model", ".env"])
def test_a_link_beside_a_model_is_trusted_with_what_it_leads_to(run: Run, home: Path, by: str) -> None:
    rows = np.arange(12.0).reshape(3, 4)
    skops.io.dump(KNeighborsClassifier(1, algorithm="brute").fit(rows, [0, 1, 2]), home / "m.skops")
    (home / "m.toml").write_text("[input]\nsize = [2, 2]\nmode = 'L'\n")
    elsewhere = home.parent / "shared.txt"
    elsewhere.write_text("one\ntwo\nthree\n")
    (home / "labels.txt").symlink_to(elsewhere)
    model = ["--model", "m.skops"] if by == "--model" else []
    if not model:
        (home / ".env").write_text("MODEL_PATH=m.skops\n")
    assert run("model", "inspect", "m.skops").code == 4
    said = run("config", "trust", *model)
    assert said.code == 2
    assert f"is read from '{elsewhere}'" in said.err
    assert run("config", "trust", *model, "--sha256", sha256_of(elsewhere)).code == 0
    shown = run("model", "inspect", "m.skops", "--json")
    assert shown.code == 0, shown.err
    assert '"three"' in shown.out
    elsewhere.write_text("one\ntwo\nfour\n")
    assert run("model", "inspect", "m.skops").code == 4


@pytest.mark.parametrize("damage", ["mode", "text"])
def test_a_record_that_cannot_be_relied_on_is_refused(run: Run, folder: Path, config_home: Path, damage: str) -> None:
    hashes = [word for name in ("cvserve.toml", ".env") for word in ("--sha256", sha256_of(folder / name))]
    assert run("config", "trust", *hashes).code == 0
    record = config_home / "cvserve" / "trusted_folders.json"
    assert record.stat().st_mode & 0o777 == 0o600
    if damage == "mode":
        record.chmod(0o666)
    else:
        record.write_text("[")
    said = run("history")
    assert said.code == 4
    assert "record of trusted folders" in said.err.lower()
