"""`cvserve predict`: many pictures, each answered for itself; results on stdout, talk on stderr."""

import json
import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from cvserve.history.history import History
from support.command import Said, cvserve
from support.drawings import drawn_four
from support.terminal import read_to_end


def test_table_shows_the_classes_of_one_picture(run: Callable[..., Said], four: Path) -> None:
    said = run("predict", "four.jpg")
    assert (said.code, said.err) == (0, "")
    head, first, *others = said.out.splitlines()
    assert head.split() == ["id", "file", "label", "score"]
    assert first.split()[:3] == ["1", "four.jpg", "4"]
    assert "█" in first
    assert len(others) == 4


def test_table_of_many_has_a_line_for_each(run: Callable[..., Said], four: Path) -> None:
    shutil.copy(four, "other.jpg")
    said = run("predict", "four.jpg", "other.jpg")
    assert [line.split()[:3] for line in said.out.splitlines()[1:]] == [["1", "four.jpg", "4"], ["2", "other.jpg", "4"]]


def test_json_is_a_list_with_file_id_and_result_first(run: Callable[..., Said], four: Path) -> None:
    (entry,) = json.loads(run("predict", "four.jpg", "--json").out)
    assert list(entry)[:3] == ["file", "id", "result"]
    assert (entry["file"], entry["id"], entry["result"], entry["label"]) == ("four.jpg", 1, 4, "4")
    assert set(entry) == {
        "file", "id", "result", "label", "score", "top", "model", "timing_ms", "warning", "created_at"
    }  # fmt: skip


def test_nl_is_one_object_a_line(run: Callable[..., Said], four: Path) -> None:
    lines = run("predict", "four.jpg", "four.jpg", "--nl").out.splitlines()
    assert [json.loads(line)["id"] for line in lines] == [1, 2]


def test_without_history_nothing_is_stored_and_there_is_no_id(run: Callable[..., Said], four: Path, home: Path) -> None:
    (entry,) = json.loads(run("predict", "four.jpg", "--no-history", "--json").out)
    assert list(entry)[:2] == ["file", "result"]
    assert "id" not in entry
    assert "created_at" not in entry
    assert os.listdir(home) == ["four.jpg"]


def test_a_failed_picture_has_file_error_and_code_and_the_others_still_answer(
    run: Callable[..., Said], four: Path, home: Path
) -> None:
    (home / "text.jpg").write_text("no picture")
    said = run("predict", "missing.jpg", "four.jpg", "text.jpg", "--json")
    missing, good, text = json.loads(said.out)
    assert said.code == 1
    assert list(missing) == list(text) == ["file", "error", "code"]
    assert (missing["file"], missing["code"]) == ("missing.jpg", "invalid_image")
    assert "missing.jpg" in missing["error"]
    assert (good["id"], good["label"]) == (1, "4")
    assert text["code"] == "invalid_image"


def test_table_names_the_failed_on_stderr(run: Callable[..., Said], four: Path) -> None:
    said = run("predict", "missing.jpg", "four.jpg")
    assert said.code == 1
    assert said.err == "cvserve: missing.jpg: There is no file 'missing.jpg'.\n"
    assert "missing" not in said.out
    assert "four.jpg" in said.out


def test_one_failed_picture_alone_is_a_list_too(run: Callable[..., Said]) -> None:
    said = run("predict", "missing.jpg", "--json")
    assert said.code == 1
    assert [entry["code"] for entry in json.loads(said.out)] == ["invalid_image"]


def test_a_folder_stands_for_its_pictures_in_order(run: Callable[..., Said], four: Path, home: Path) -> None:
    deep = home / "photos" / "b"
    deep.mkdir(parents=True)
    for path in (deep / "2.JPG", home / "photos" / "c.jpeg", home / "photos" / "a.png"):
        path.write_bytes(four.read_bytes())
    (home / "photos" / "notes.txt").write_text("no picture")
    entries = json.loads(run("predict", "photos", "--json").out)
    assert [entry["file"] for entry in entries] == ["photos/a.png", "photos/b/2.JPG", "photos/c.jpeg"]


def test_a_folder_without_pictures_is_a_wrong_argument(run: Callable[..., Said], home: Path) -> None:
    (home / "empty").mkdir()
    said = run("predict", "empty")
    assert (said.code, said.out) == (2, "")
    assert "'empty' holds no pictures" in said.err


def test_a_dash_is_stdin(four: Path) -> None:
    said = cvserve("predict", "-", "--json", stdin=four.read_bytes())
    (entry,) = json.loads(said.out)
    assert (said.code, entry["file"], entry["label"]) == (0, "stdin", "4")


def test_stdin_twice_is_a_wrong_argument(run: Callable[..., Said]) -> None:
    assert run("predict", "-", "-").code == 2


def test_empty_stdin_is_a_failed_picture() -> None:
    said = cvserve("predict", "-", "--nl", stdin=b"")
    assert said.code == 1
    assert json.loads(said.out)["code"] == "invalid_image"


def test_a_name_that_is_no_text_is_answered_in_every_format(four: Path) -> None:
    name = os.fsdecode(b"\xff.jpg")
    shutil.copy(four, name)
    for option in ("--json", "--nl"):
        said = cvserve("predict", name, option, "--no-history")
        assert (said.code, said.err) == (0, "")
        read = json.loads(said.out)
        assert (read[0] if option == "--json" else read)["file"] == name
    assert cvserve("predict", name, "--no-history").code == 0


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_of_few_characters_is_served_too(four: Path, encoding: str) -> None:
    shutil.copy(four, "数.jpg")
    table = cvserve("predict", "数.jpg", PYTHONIOENCODING=encoding)
    assert table.code == 0
    assert json.loads(cvserve("predict", "数.jpg", "--json", PYTHONIOENCODING=encoding).out)[0]["file"] == "数.jpg"


def test_a_name_cannot_command_the_terminal(run: Callable[..., Said], four: Path) -> None:
    shutil.copy(four, "a\x1b[2Jb.jpg")
    assert "\x1b" not in run("predict", "a\x1b[2Jb.jpg").out
    assert "\x1b" not in run("predict", "no\x1b[2J.jpg").err


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--json", "--nl"], 2, ["--json", "--nl"]),
        (["--top-k", "0"], 2, ["top_k", "'0'", "--top-k"]),
        (["--top-k", "１"], 2, ["top_k"]),
        (["--model", "missing.skops"], 5, ["missing.skops"]),
        (["--model", "four.jpg"], 5, ["four.jpg"]),
        (["--model-sha256", "zz"], 2, ["model_sha256", "64 hex digits"]),
        (["--token", "x"], 2, ["--token"]),
        (["--home", "four.jpg"], 3, ["four.jpg"]),
    ],
)
def test_a_mistake_is_one_sentence_and_an_exit_code(
    four: Path, options: list[str], code: int, words: list[str]
) -> None:
    said = cvserve("predict", "four.jpg", *options)
    assert (said.code, said.out) == (code, "")
    assert "Traceback" not in said.err
    assert all(word in said.err for word in words), said.err


def test_no_picture_at_all_is_usage(run: Callable[..., Said]) -> None:
    said = run("predict")
    assert said.code == 2
    assert "IMAGE" in said.err


def test_top_k_shortens_the_answer(run: Callable[..., Said], four: Path) -> None:
    (entry,) = json.loads(run("predict", "four.jpg", "--top-k", "2", "--json").out)
    assert len(entry["top"]) == 2


def test_home_is_made_and_holds_the_history(run: Callable[..., Said], four: Path, home: Path) -> None:
    assert run("predict", "four.jpg", "--home", "new/place").code == 0
    with History.open(home / "new" / "place") as history:
        assert [row.source for row in history.rows()] == ["cli"]


def test_a_stored_row_is_what_was_printed(run: Callable[..., Said], four: Path, home: Path) -> None:
    (entry,) = json.loads(run("predict", "four.jpg", "--json").out)
    with History.open(home) as history:
        row = history[entry["id"]]
    printed = {key: value for key, value in entry.items() if key != "file"}
    assert printed == row.to_dict()
    assert row.file_name == "four.jpg"


def test_many_are_stored_by_one_commit_a_batch(run: Callable[..., Said], four: Path, home: Path) -> None:
    names = [f"{number:03}.jpg" for number in range(130)]
    for name in names:
        shutil.copy(four, name)
    entries = json.loads(run("predict", *names, "--json").out)
    assert [entry["file"] for entry in entries] == names
    assert [entry["id"] for entry in entries] == list(range(1, 131))
    moments = [entry["created_at"] for entry in entries]
    assert len(set(moments)) == 3  # 64 + 64 + 2


def test_a_terminal_sees_a_progress_bar_for_many_and_results_stay_clean(four: Path, home: Path) -> None:
    folder = home / "many"
    folder.mkdir()
    for number in range(120):
        (folder / f"{number}.jpg").write_bytes(drawn_four())
    environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"} | {"TERM": "xterm"}
    command = [sys.executable, "-m", "cvserve", "predict", "many", "--nl"]
    outside, inside = pty.openpty()
    results = home / "results.jsonl"
    with results.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=inside, env=environment):
        os.close(inside)
        seen = read_to_end(outside)
    assert len([json.loads(line) for line in results.read_text().splitlines()]) == 120
    assert b"120/120" in seen


def test_predict_loads_neither_scikit_learn_nor_a_web_server_nor_slow_helpers(four: Path) -> None:
    from support.command import loaded_modules

    code = "import sys; sys.argv = ['cvserve', 'predict', 'four.jpg']\nfrom cvserve.cli import main; main()"
    assert cvserve("predict", "four.jpg").code == 0  # the database is there now
    loaded = {name.partition(".")[0] for name in loaded_modules(code)}
    heavy = {
        "sklearn", "scipy", "skops", "joblib", "starlette", "uvicorn", "asyncio", "loguru", "sqlite_utils",
        "pydantic", "rich", "multipart", "dotenv", "locust", "email", "http",
    }  # fmt: skip
    assert not loaded & heavy
    assert {"numpy", "PIL"} <= loaded


def test_the_folder_of_a_stranger_is_not_written(run: Callable[..., Said], four: Path, home: Path) -> None:
    (home / "cvserve.db").write_text("notes of mine")
    (home / "cvserve.db").chmod(0o600)
    said = run("predict", "four.jpg")
    assert (said.code, said.out) == (3, "")
    assert (home / "cvserve.db").read_text() == "notes of mine"


def test_max_pixels_above_pillows_own_limit_is_what_counts(home: Path) -> None:
    # 200 million pixels of one tone: 24 KB of PNG, and Pillow alone would call it a bomb.
    Image.new("1", (20_000, 10_000)).save(home / "wide.png")
    refused = json.loads(cvserve("predict", "--json", "wide.png").out)[0]
    assert refused["code"] == "image_too_large"
    assert "20000×10000" in refused["error"]
    ended = cvserve("predict", "--json", "wide.png", CVSERVE_MAX_PIXELS="200000000")
    assert json.loads(ended.out)[0]["warning"]
