"""`cvserve history`: newest first, filters, formats; looking at it changes nothing."""

import csv
import io
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cvserve.history.history import History
from support.command import Said
from support.predictions import prediction
from support.terminal import read_to_end


@pytest.fixture
def rows(home: Path) -> None:
    """Five rows: labels 0 to 4, scores 0.5 to 0.9, the last from a notebook."""
    with History.open(home) as history:
        for number in range(5):
            history.add(
                prediction(str(number), 0.5 + number / 10, "other" if number == 0 else "digits"),
                source="notebook" if number == 4 else "cli",
                file_name=f"{number}.jpg",
            )


def ids(said: Said) -> list[int]:
    return [row["id"] for row in json.loads(said.out)]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], [5, 4, 3, 2, 1]),
        (["-n", "2"], [5, 4]),
        (["-n", "0"], [5, 4, 3, 2, 1]),
        (["--limit", "1"], [5]),
        (["--label", "2"], [3]),
        (["--label", "none"], []),
        (["--model", "other"], [1]),
        (["--model", "ab" * 6], [5, 4, 3, 2, 1]),
        (["--source", "notebook"], [5]),
        (["--min-score", "0.75"], [5, 4]),
        (["--min-score", ".9"], [5]),
        (["--since", "1h"], [5, 4, 3, 2, 1]),
        (["--until", "1h"], []),
        (["--since", "2999-01-01"], []),
        (["--until", "2999-01-01T00:00:00Z"], [5, 4, 3, 2, 1]),
        (["--label", "2", "--source", "notebook"], []),
    ],
)
def test_filters_narrow_the_list(run: Callable[..., Said], rows: None, options: list[str], expected: list[int]) -> None:
    said = run("history", "--json", *options)
    assert (said.code, ids(said)) == (0, expected)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["-n", "-1"], "--limit"),
        (["-n", "x"], "--limit"),
        (["-n", "１"], "--limit"),
        (["-n", "9" * 30], "--limit"),
        (["--min-score", "2"], "--min-score"),
        (["--min-score", "nan"], "--min-score"),
        (["--source", "mail"], "--source"),
        (["--since", "yesterday"], "--since"),
        (["--since", "9" * 400 + "d"], "--since"),
        (["--until", "2026-13-01"], "--until"),
        (["--json", "--csv"], "--json"),
        (["show", "x"], "ID"),
        (["show", "0"], "ID"),
    ],
)
def test_a_bad_value_is_named_and_ends_with_2(
    run: Callable[..., Said], rows: None, options: list[str], word: str
) -> None:
    said = run("history", *options)
    assert (said.code, said.out) == (2, "")
    assert word in said.err


def test_looking_where_there_is_no_history_makes_none(run: Callable[..., Said], home: Path) -> None:
    table, as_json, as_nl = run("history"), run("history", "--json"), run("history", "--nl")
    assert (table.code, table.out) == (0, "")
    assert "cvserve predict" in table.err
    assert (json.loads(as_json.out), as_nl.out) == ([], "")
    assert run("history", "show", "1").code == 1
    assert os.listdir(home) == []


def test_a_folder_that_is_not_there_cannot_be_looked_at(run: Callable[..., Said]) -> None:
    said = run("history", "--home", "nowhere")
    assert said.code == 3
    assert "nowhere" in said.err


def test_nl_has_one_object_a_line(run: Callable[..., Said], rows: None) -> None:
    assert [json.loads(line)["id"] for line in run("history", "--nl").out.splitlines()] == [5, 4, 3, 2, 1]


def test_csv_has_a_head_and_cells_that_no_spreadsheet_runs(run: Callable[..., Said], home: Path) -> None:
    dangers = ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "＝1", "fine"]
    with History.open(home) as history:
        for label in dangers:
            history.add(prediction(label), source="cli", file_name='=cmd|"/c calc"!A1.jpg')
    out = run("history", "--csv", "-n", "0").out
    rows = list(csv.DictReader(io.StringIO(out, newline="")))
    assert [row["label"] for row in reversed(rows)] == [
        "'=1+1", "'+1", "'-1", "'@x", "'\t=1", "'\r=1", "'＝1", "fine"
    ]  # fmt: skip
    assert {row["file_name"][0] for row in rows} == {"'"} or all(not row["file_name"].startswith("=") for row in rows)
    assert rows[0]["version"] == "ab" * 6
    assert rows[0]["score"] == "0.9"


def test_csv_moves_no_cursor_on_a_terminal_and_is_exact_in_a_pipe(run: Callable[..., Said], home: Path) -> None:
    with History.open(home) as history:
        history.add(prediction("\x1b[2Jx\x07"), source="cli")
    assert "\x1b[2Jx\x07" in run("history", "--csv").out
    outside, inside = pty.openpty()
    command = [sys.executable, "-m", "cvserve", "history", "--csv"]
    with subprocess.Popen(command, stdout=inside, env=os.environ) as process:
        os.close(inside)
        seen = read_to_end(outside)
        assert process.wait(timeout=30) == 0
    assert b"\x1b" not in seen
    assert b"\x07" not in seen
    assert "\ufffd[2Jx\ufffd".encode() in seen


def test_show_tells_all_of_one(run: Callable[..., Said], rows: None) -> None:
    table = run("history", "show", "3").out
    for word in ("3", "digits", "2.jpg", "cli", "70.0%", "64", "48", "JPEG"):
        assert word in table
    (row,) = json.loads(run("history", "show", "3", "--json").out)
    assert (row["id"], row["label"], row["file_name"]) == (3, "2", "2.jpg")


def test_show_of_an_unknown_id_says_so(run: Callable[..., Said], rows: None) -> None:
    said = run("history", "show", "99")
    assert (said.code, said.out) == (1, "")
    assert "99" in said.err


def test_since_counts_from_the_time_that_is_given(run: Callable[..., Said], home: Path) -> None:
    with History.open(home) as history:
        history.add(prediction())
    later = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
    assert ids(run("history", "--json", "--until", later)) == [1]
    assert ids(run("history", "--json", "--since", later)) == []


def on_terminal(width: int, *arguments: str) -> list[str]:
    """The lines of a command whose stdout is a terminal of that width."""
    outside, inside = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(width), "NO_COLOR": "1"}
    with subprocess.Popen([sys.executable, "-m", "cvserve", *arguments], stdout=inside, env=environment):
        os.close(inside)
        seen = read_to_end(outside)
    return seen.decode().replace("\r\n", "\n").splitlines()


@pytest.mark.parametrize("width", [80, 100, 120])
def test_the_table_fits_a_terminal_and_never_cuts_id_label_and_score(home: Path, width: int) -> None:
    with History.open(home) as history:
        for number in range(12):
            file_name = f"IMG_2026_{number:04}_from_the_kitchen_table_upside_down.jpeg"
            history.add(prediction("ninety-nine bottles", 0.123456), file_name=file_name)
    lines = on_terminal(width, "history")
    assert all(len(line) <= width for line in lines), max(map(len, lines))
    for line in lines[1:]:
        assert re.search(r"^ *\d+  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d  ninety-nine bottles  12\.3%", line)
        assert "…" in line
        assert "IMG_2" in line
        assert ".jpeg" in line


def test_in_a_pipe_the_table_is_whole(run: Callable[..., Said], home: Path) -> None:
    name = "a" * 150 + ".jpg"
    with History.open(home) as history:
        history.add(prediction("label " * 30), file_name=name)
    assert name in run("history").out
    assert ("label " * 30).strip() in run("history").out


def test_rows_of_a_load_test_show_only_when_asked_for(run: Callable[..., Said], home: Path) -> None:
    with History.open(home) as history:
        history.add(prediction(), source="loadtest")
        history.add(prediction(), source="cli")
    assert ids(run("history", "--json")) == [2]
    assert ids(run("history", "--json", "--source", "loadtest")) == [1]
