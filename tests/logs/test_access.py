"""AccessLog: the fields of a line, in text and in JSON, and what must never stand in one."""

import json
from pathlib import Path

import pytest

from cvserve.logs.access import AccessLog, AccessRecord, escape_field
from cvserve.logs.secret_mask import SecretMask
from support.lines import parsed

RECORD = AccessRecord("203.0.113.7", "my app", "POST", "/predict", 200, 8.4, 20841, 96, "42", "abc", "curl/8")


def line_of(home: Path, record: AccessRecord, line_format: str = "text", secrets: tuple[str, ...] = ()) -> str:
    log = AccessLog(home / "output.log", line_format, mask=SecretMask(secrets))
    log.write(record)
    log.close()
    log.close()
    (line,) = (home / "output.log").read_text().splitlines()
    return line


def test_text_has_the_fields_in_their_order(home: Path) -> None:
    assert line_of(home, RECORD).partition(" | ")[2] == (
        "203.0.113.7 | my app | POST /predict | 200 | 8.4ms | 20841B in | 96B out | id=42 | req=abc"
    )


def test_json_has_the_same_fields_in_the_same_order(home: Path) -> None:
    entry = json.loads(line_of(home, RECORD, "json"))
    assert next(iter(entry)) == "time"
    assert tuple(entry.values())[1:] == tuple(RECORD)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb", "a\\nb"),
        ("\x1b[31m", "\\x1b[31m"),
        ("\0", "\\x00"),
        ("\u202e", "\\u202e"),
        ("\u2028", "\\u2028"),
        ("ä", "ä"),
        ("\x85", "\\x85"),
        ("{}", "{}"),
        ("x" * 2_000, "x" * 1_024),
    ],
)
def test_what_cannot_be_seen_is_escaped(text: str, shown: str) -> None:
    assert escape_field(text) == shown


@pytest.mark.parametrize("field", ["client", "path", "method"])
@pytest.mark.parametrize("text", ["a | b | 200", "a\r\nb", "{message}{0}", "\x1b[0m", "%s"])
@pytest.mark.parametrize("line_format", ["text", "json"])
def test_no_field_of_a_client_breaks_the_line(home: Path, field: str, text: str, line_format: str) -> None:
    line = line_of(home, RECORD._replace(**{field: text}), line_format)  # type: ignore[arg-type]
    assert line.isprintable()
    if line_format == "json":
        assert json.loads(line)["status"] == 200
    elif field != "method":  # the parser of HTTP lets no such method through
        assert parsed(line).status == "200"


@pytest.mark.parametrize("line_format", ["text", "json"])
def test_secrets_are_left_out(home: Path, line_format: str) -> None:
    record = RECORD._replace(path="/cvs_0123456789abc/fix%65d-secret", user_agent="cvs_0123456789abc fixed-secret")
    line = line_of(home, record, line_format, ("fixed-secret",))
    assert "0123456789abc" not in line
    assert "secret" not in line


def test_a_line_after_the_end_goes_nowhere(home: Path) -> None:
    log = AccessLog(home / "output.log")
    log.close()
    other = (home / "other").open("wb")  # perhaps with the number that the log's file had
    log.write(RECORD)
    other.close()
    assert (home / "output.log").read_bytes() == (home / "other").read_bytes() == b""


def test_two_logs_do_not_write_into_each_other(tmp_path: Path) -> None:
    one, two = AccessLog(tmp_path / "one.log"), AccessLog(tmp_path / "two.log")
    one.write(RECORD)
    one.close()
    two.write(RECORD)
    two.close()
    assert [len(path.read_text().splitlines()) for path in (tmp_path / "one.log", tmp_path / "two.log")] == [1, 1]
