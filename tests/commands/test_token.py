"""`cvserve token new | list | revoke`."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from cvserve.store.tokens import TokenStore
from support.command import Said


def test_new_prints_the_secret_alone_on_stdout(run: Callable[..., Said]) -> None:
    said = run("token", "new", "ci")
    assert said.code == 0
    assert re.fullmatch(r"cvs_[0-9A-Za-z]{47}\n", said.out)
    assert "ci" in said.err
    assert "predict" in said.err
    assert said.out.strip() not in said.err


def test_new_opens_predict_unless_told_otherwise(run: Callable[..., Said], home: Path) -> None:
    run("token", "new", "a")
    run("token", "new", "b", "--scope", "history", "--scope", "metrics,admin", "--expires", "90d")
    with TokenStore(home / "cvserve.db") as store:
        first, second = store.list_tokens()
    assert first.scopes == {"predict"}
    assert first.expires_at is None
    assert second.scopes == {"history", "metrics", "admin"}
    assert second.expires_at


def test_json_of_new_has_the_token_once_and_list_never_has_it(run: Callable[..., Said]) -> None:
    (made,) = json.loads(run("token", "new", "ci", "--json").out)
    listed = run("token", "list", "--json")
    (row,) = json.loads(listed.out)
    assert made["token"].startswith("cvs_")
    assert made["token"] not in listed.out
    assert row["name"] == "ci"
    assert "digest" not in row
    assert "token" not in row
    assert made["token"] not in run("token", "list").out


def test_list_is_always_a_list(run: Callable[..., Said], home: Path) -> None:
    assert json.loads(run("token", "list", "--json").out) == []
    assert run("token", "list", "--nl").out == ""
    assert "token new" in run("token", "list").err
    assert os.listdir(home) == []
    run("token", "new", "one")
    run("token", "new", "two")
    assert [json.loads(line)["name"] for line in run("token", "list", "--nl").out.splitlines()] == ["one", "two"]


def test_list_tells_valid_expired_and_revoked_apart(run: Callable[..., Said]) -> None:
    run("token", "new", "good")
    run("token", "new", "gone")
    run("token", "revoke", "gone")
    run("token", "new", "short", "--expires", "1ms")
    states = {line.split()[0]: line.split()[-1] for line in run("token", "list").out.splitlines()[1:]}
    assert states == {"good": "valid", "gone": "revoked", "short": "expired"}


def test_revoke_frees_the_name(run: Callable[..., Said]) -> None:
    run("token", "new", "ci")
    said = run("token", "revoke", "ci")
    assert (said.code, said.out) == (0, "")
    assert run("token", "new", "ci").code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["new", "env"], 2, "env"),
        (["new", "anonymous"], 2, "anonymous"),
        (["new", "-"], 2, "-"),
        (["new", ""], 2, "1 to 64"),
        (["new", " x"], 2, "1 to 64"),
        (["new", "x" * 65], 2, "1 to 64"),
        (["new", "a\nb"], 2, "1 to 64"),
        (["new", "x", "--scope", "all"], 2, "all"),
        (["new", "x", "--scope", ""], 2, "scope"),
        (["new", "x", "--expires", "soon"], 2, "--expires"),
        (["new", "x", "--expires", "-1d"], 2, "--expires"),
        (["new", "x", "--expires", "0"], 2, "--expires"),
        (["new", "x", "--expires", "９d"], 2, "--expires"),
        (["new", "taken"], 2, "revoke taken"),
        (["revoke", "nobody"], 1, "nobody"),
        (["new"], 2, "NAME"),
        (["list", "--json", "--nl"], 2, "--nl"),
    ],
)
def test_a_mistake_is_one_sentence_and_an_exit_code(
    run: Callable[..., Said], arguments: list[str], code: int, word: str
) -> None:
    run("token", "new", "taken")
    said = run("token", *arguments)
    assert (said.code, said.out) == (code, "")
    assert word in said.err
