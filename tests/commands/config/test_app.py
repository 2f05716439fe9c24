"""`cvserve config`: values, origins, masked secrets."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.command import Said, cvserve


def entries(said: Said) -> dict[str, Any]:
    return {entry["name"]: entry for entry in json.loads(said.out)}


def test_each_value_comes_with_its_origin(
    run: Callable[..., Said], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "cvserve.toml").write_text('port = 1111\ntop_k = 2\nlog_format = "json"\n')
    (home / ".env").write_text("CVSERVE_TOP_K=3\nMODEL_PATH=./model/model.pkl\nCVSERVE_MAX_QUEUE=7\n")
    monkeypatch.setenv("CVSERVE_MAX_QUEUE", "9")
    monkeypatch.setenv("PORT", "2222")
    found = entries(run("config", "--json"))
    shown = {name: (found[name]["value"], found[name]["origin"]) for name in found}
    assert shown["port"] == (2222, "PORT")
    assert shown["top_k"] == (3, "CVSERVE_TOP_K in .env")
    assert shown["log_format"] == ("json", "cvserve.toml")
    assert shown["max_queue"] == (9, "CVSERVE_MAX_QUEUE")
    assert shown["model"] == (str(home / "model" / "model.pkl"), "MODEL_PATH in .env")
    assert shown["host"] == ("127.0.0.1", "default")
    assert found["max_queue"]["variable"] == "CVSERVE_MAX_QUEUE"


def test_a_secret_is_never_shown(run: Callable[..., Said], home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "s3cret-s3cret-s3cret"
    monkeypatch.setenv("CVSERVE_TOKEN", secret)
    assert entries(run("config", "--json"))["token"]["value"] == "***"
    assert secret not in run("config", "--json").out + run("config").out
    monkeypatch.delenv("CVSERVE_TOKEN")
    (home / ".env").write_text(f"CVSERVE_TOKEN={secret}\n")
    assert secret not in run("config", "--json").out + run("config").out
    (home / ".env").write_text("CVSERVE_TOKEN_FILE=token.txt\n")
    (home / "token.txt").write_text(secret)
    (home / "token.txt").chmod(0o600)
    assert entries(run("config", "--json"))["token"]["value"] == "***"
    assert secret not in run("config").out


def test_a_bad_secret_is_not_repeated(run: Callable[..., Said], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CVSERVE_TOKEN", "white space secret")
    said = run("config")
    assert said.code == 2
    assert "white" not in said.err
    assert "CVSERVE_TOKEN" in said.err


def test_an_unknown_variable_is_a_warning_with_the_nearest_name() -> None:
    said = cvserve("config", "--json", CVSERVE_PROT="1")
    assert said.code == 0
    assert (
        said.err
        == "cvserve: warning: CVSERVE_PROT in the environment is no setting of cvserve; did you mean 'CVSERVE_PORT'?\n"
    )


def test_a_token_file_that_others_can_read_is_refused(
    run: Callable[..., Said], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "token.txt").write_text("s3cret-s3cret-s3cret")
    (home / "token.txt").chmod(0o644)
    monkeypatch.setenv("CVSERVE_TOKEN_FILE", "token.txt")
    said = run("config")
    assert (said.code, said.out) == (4, "")
    assert "chmod 600" in said.err


def test_the_table_shows_each_setting_once(run: Callable[..., Said]) -> None:
    from cvserve.settings import FIELDS

    names = [line.split()[0] for line in run("config").out.splitlines()[1:]]
    assert names == list(FIELDS)


def test_what_a_file_must_not_say_is_shown_and_marked(run: Callable[..., Said], home: Path) -> None:
    (home / "cvserve.toml").write_text('cors_origin = "*"\ntoken_file = "../token"\ntop_k = 3\n')
    (home.parent / "token").write_text("two words, which would be an error if they were read\n")
    said = run("config", "--json")
    found = entries(said)
    assert said.code == 0
    assert {name for name in found if found[name]["refused"]} == {"cors_origin", "token_file"}
    assert (found["cors_origin"]["reach"], found["cors_origin"]["value"]) == ("trusted", ["*"])
    assert (found["top_k"]["reach"], found["token"]["value"]) == ("folder", None)
    assert "Refused: cors_origin is '*' (cvserve.toml).\n" in said.err
    assert "run: cvserve config trust\n" in said.err
    assert "cvserve.toml (refused)" in run("config").out


def test_what_overrides_a_file_is_not_refused(
    run: Callable[..., Said], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "cvserve.toml").write_text('home = "../elsewhere"\n')
    assert run("history").code == 4
    monkeypatch.setenv("CVSERVE_HOME", ".")
    assert run("history").code == 0
    assert run("config").err == ""
