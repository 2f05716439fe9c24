import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.naive_bayes import GaussianNB

from support.command import Said, cvserve
from support.terminal import read_to_end

WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


@pytest.fixture(scope="session")
def data() -> tuple[NDArray[Any], NDArray[Any]]:
    """Digits of 8 by 8 as pictures 0…255, and what they are."""
    rows, classes = load_digits(return_X_y=True)
    return (rows * 255 / 16).astype(np.uint8), classes


@pytest.fixture
def model(home: Path, data: tuple[NDArray[Any], NDArray[Any]]) -> Path:
    rows, classes = data
    path = home / "digits.skops"
    skops.io.dump(GaussianNB(var_smoothing=0.1).fit(rows[:1000] / 255, classes[:1000]), path)
    path.with_suffix(".toml").write_text(f"labels = {json.dumps(WORDS)}\n[input]\nresize = 'exact'\nscale = {1 / 255}")
    return path


@pytest.fixture
def held_out(home: Path, data: tuple[NDArray[Any], NDArray[Any]]) -> Path:
    """200 pictures in a folder for each class."""
    rows, classes = data
    for number in range(1200, 1400):
        path = home / "held-out" / WORDS[classes[number]] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rows[number].reshape(8, 8)).save(path)
    return home / "held-out"


@pytest.fixture
def truth(model: Path, data: tuple[NDArray[Any], NDArray[Any]]) -> list[tuple[int, int]]:
    """What scikit-learn itself says about the 200: (true class, said class) of each."""
    rows, classes = data
    estimator = skops.io.load(model)
    return list(zip(classes[1200:1400].tolist(), estimator.predict(rows[1200:1400] / 255).tolist(), strict=True))


def test_it_counts_what_scikit_learn_counts(
    run: Callable[..., Said], model: Path, held_out: Path, truth: list[tuple[int, int]]
) -> None:
    said = run("model", "check", str(model), str(held_out), "--json", "--worst", "500")
    assert said.code == 0, said.err
    found = json.loads(said.out)
    right = sum(one == other for one, other in truth)
    assert 150 < right < 200
    assert (found["pictures"], found["answered"], found["right"]) == (200, 200, right)
    assert found["accuracy"] == pytest.approx(right / 200)
    pairs = {(entry["truth"], entry["predicted"]): entry["pictures"] for entry in found["confusion"]}
    assert pairs == {(WORDS[one], WORDS[other]): truth.count((one, other)) for one, other in set(truth)}
    wrong = {f"{number}.png" for number, (one, other) in enumerate(truth, start=1200) if one != other}
    assert {Path(entry["file"]).name for entry in found["worst"]} == wrong
    scores = [entry["score"] for entry in found["worst"]]
    assert scores == sorted(scores, reverse=True)
    assert (found["failed"], found["refusals"]) == ([], [])


def test_tables_for_people(run: Callable[..., Said], model: Path, held_out: Path, truth: list[tuple[int, int]]) -> None:
    said = run("model", "check", str(model), str(held_out))
    assert said.code == 0
    right = sum(one == other for one, other in truth)
    assert said.out.startswith(f"accuracy {right / 200:.2%}: {right} of 200 pictures\n")
    for word in ("recall", "precision", "confusion: rows are the truth", "worst mistakes", "held-out/"):
        assert word in said.out
    sections = said.out.split("\n\n")
    three = next(line.split() for line in sections[1].splitlines() if " three " in line)
    of_three = [answer for one, answer in truth if one == 3]
    assert three[:4] == ["3", "three", str(len(of_three)), str(of_three.count(3))]
    row = next(line.split() for line in sections[2].splitlines() if " three " in line)
    assert row[2:] == [str(of_three.count(answer)) if of_three.count(answer) else "·" for answer in range(10)]
    assert said.err == ""


def test_a_gate_for_scripts(
    run: Callable[..., Said], model: Path, held_out: Path, truth: list[tuple[int, int]]
) -> None:
    right = sum(one == other for one, other in truth)
    assert run("model", "check", str(model), str(held_out), "--min-accuracy", str(right / 200)).code == 0
    said = cvserve("model", "check", str(model), str(held_out), "--min-accuracy", "0.999", "--json")
    assert said.code == 1
    reason = f"the accuracy is {right / 200:.6g} ({right} of 200), and --min-accuracy asks for 0.999."
    assert said.err == f"cvserve: {reason}\n"
    assert json.loads(said.out)["refusals"] == [reason]
    assert run("model", "check", str(model), str(held_out), "--min-accuracy", "50%").code == 0


@pytest.mark.parametrize("share", ["90", "-0.1", "nan", "inf", "101%", "all", ""])
def test_a_gate_that_is_no_share_is_refused_before_anything_is_run(run: Callable[..., Said], share: str) -> None:
    said = run("model", "check", "no.skops", "nowhere", "--min-accuracy", share)
    assert (said.code, said.out) == (2, "")
    assert said.err == f"cvserve: --min-accuracy is '{share}': give a number from 0 to 1, or a percentage.\n"


def test_a_picture_without_an_answer_is_counted_named_and_a_no(
    run: Callable[..., Said], model: Path, held_out: Path
) -> None:
    (held_out / "one" / "bad.jpg").write_bytes(b"no picture")
    Image.new("L", (9, 9)).save(held_out / "two" / "large.png")
    said = run("model", "check", str(model), str(held_out), "--min-accuracy", "0.5")
    assert said.code == 1
    assert "2 pictures got no answer" in said.err
    assert "bad.jpg' (invalid_image)" in said.err
    assert "large.png' (image_too_large)" in said.err
    assert "of 200 pictures" in said.out
    assert "this model takes 8×8 only" in said.out
    found = json.loads(run("model", "check", str(model), str(held_out), "--json").out)
    assert (found["pictures"], found["answered"], len(found["failed"])) == (202, 200, 2)


def test_a_table_of_indices(run: Callable[..., Said], model: Path, held_out: Path, home: Path) -> None:
    pictures = sorted(held_out.glob("*/*.png"))
    lines = [f"{path.relative_to(home)},{WORDS.index(path.parent.name)}" for path in pictures]
    (home / "held-out.csv").write_text("path,label\n" + "\n".join(lines) + "\n")
    by_table = json.loads(run("model", "check", str(model), "held-out.csv", "--json").out)
    by_folder = json.loads(run("model", "check", str(model), "held-out", "--json").out)
    assert {**by_table, "worst": []} == {**by_folder, "worst": []}


def test_what_cannot_be_used_is_one_sentence_and_two(run: Callable[..., Said], model: Path, held_out: Path) -> None:
    (held_out / "ten").mkdir()
    (held_out / "ten" / "a.png").touch()
    said = run("model", "check", str(model), str(held_out))
    assert (said.code, said.out) == (2, "")
    assert said.err.count("\n") == 1
    assert "names 'ten', which the model does not know" in said.err


def test_more_classes_than_fit_are_listed_by_pairs(run: Callable[..., Said], home: Path) -> None:
    rng = np.random.default_rng(0)
    classes = [f"c{number:02}" for number in range(20)] * 3
    skops.io.dump(GaussianNB(var_smoothing=1.0).fit(rng.random((60, 64)), classes), home / "m.skops")
    for number, name in enumerate(classes):
        (home / "data" / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (8, 8), dtype=np.uint8)).save(home / "data" / name / f"{number}.png")
    said = run("model", "check", "m.skops", "data", "--worst", "0")
    assert said.code == 0
    assert "confusions, the most frequent first" in said.out
    assert "worst mistakes" not in said.out


def test_the_built_in_model_is_checked_alike(run: Callable[..., Said], home: Path, photo: bytes) -> None:
    (home / "data" / "4").mkdir(parents=True)
    (home / "data" / "4" / "photo.jpg").write_bytes(photo)
    said = run("model", "check", "builtin", "data")
    assert (said.code, said.out.splitlines()[0]) == (0, "accuracy 100.00%: 1 of 1 pictures")


def test_a_terminal_has_a_progress_bar(model: Path, held_out: Path) -> None:
    outside, inside = pty.openpty()
    command = [sys.executable, "-m", "cvserve", "model", "check", str(model), str(held_out), "--json"]
    with subprocess.Popen(command, stdin=inside, stdout=subprocess.PIPE, stderr=inside) as process:
        os.close(inside)
        out, _ = process.communicate(timeout=60)
        seen = read_to_end(outside)
    assert "200/200" in seen.decode()
    assert json.loads(out)["answered"] == 200
