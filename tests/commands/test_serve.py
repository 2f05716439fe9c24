"""`cvserve serve`: its options are the settings."""

import inspect
from pathlib import Path

import pytest

from cvserve.commands.serve.command import serve
from cvserve.settings import FIELDS, Settings, flag
from support.command import cvserve

OPTIONS = list(inspect.signature(serve).parameters)


def test_each_option_is_a_setting_and_each_setting_but_the_token_an_option() -> None:
    assert [name for name in FIELDS if name != "token"] == OPTIONS
    assert set(OPTIONS) < set(Settings.__dataclass_fields__)


def test_help_names_each_option() -> None:
    out = cvserve("serve", "--help", COLUMNS="200").out
    assert all(flag(name) in out for name in OPTIONS)
    assert "--token " not in out


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--token", "x"], 2, ["--token"]),
        (["--port", "70000"], 2, ["port", "70000", "--port", "65535"]),
        (["--max-queue", "-1"], 2, ["max_queue", "-1"]),
        (["--max-body", "0"], 2, ["max_body"]),
        (["--durability", "none"], 2, ["full or normal"]),
        (["--ssl-certfile", "a"], 2, ["ssl_keyfile"]),
        (["--model", "missing.pkl"], 5, ["missing.pkl"]),
        (["--cors-origin"], 2, ["--cors-origin"]),
        (["extra"], 2, ["extra"]),
    ],
)
def test_a_mistake_is_said_before_anything_is_made(home: Path, options: list[str], code: int, words: list[str]) -> None:
    said = cvserve("serve", *options)
    assert (said.code, said.out) == (code, "")
    assert "Traceback" not in said.err
    assert all(word in said.err for word in words), said.err
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(("mode", "code"), [(0o644, 4), (0o640, 4), (0o604, 4), (0o600, 2)])
def test_a_key_that_others_can_read_is_refused(home: Path, mode: int, code: int) -> None:
    for name in ("cert.pem", "key.pem"):
        (home / name).write_text("no certificate")
    (home / "key.pem").chmod(mode)
    said = cvserve("serve", "--port", "0", "--ssl-certfile", "cert.pem", "--ssl-keyfile", "key.pem")
    assert (said.code, said.out) == (code, "")
    assert ("chmod 600 key.pem" in said.err) == (code == 4)
    assert "Traceback" not in said.err


def test_a_token_file_that_others_can_read_is_refused(home: Path) -> None:
    (home / "token.txt").write_text("s3cret-s3cret-s3cret")
    (home / "token.txt").chmod(0o644)
    said = cvserve("serve", "--token-file", "token.txt")
    assert (said.code, said.out) == (4, "")
    assert "s3cret" not in said.err
