"""`model inspect`, `try` and `check` take the settings of the folder, as `serve` and `predict` do."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import skops.io
from PIL import Image
from sklearn.naive_bayes import GaussianNB

from support.command import Said, cvserve

Run = Callable[..., Said]


@pytest.fixture
def model(home: Path) -> Path:
    """An estimator of two classes, dark and light, for pictures of 8 by 8."""
    rows = np.random.default_rng(0).random((40, 64)) / 4 + np.repeat([0.0, 0.75], 20)[:, None]
    path = home / "tone.skops"
    skops.io.dump(GaussianNB().fit(rows, ["dark"] * 20 + ["light"] * 20), path)
    return path


@pytest.fixture
def picture(home: Path) -> Path:
    """Dark grey of 16 by 16, with a lighter half, as PNG."""
    pixels = np.full((16, 16), 40, dtype=np.uint8)
    pixels[:, 8:] = 60
    Image.fromarray(pixels).save(home / "p.png")
    return home / "p.png"


def try_json(run: Run, *arguments: str) -> dict[str, object]:
    (entry,) = json.loads(run("model", "try", *arguments, "--json").out)
    return dict(entry)


def test_a_picture_with_more_pixels_than_the_folder_allows_is_refused(
    run: Run, home: Path, model: Path, picture: Path
) -> None:
    (home / "cvserve.toml").write_text("max_pixels = 100\n")
    said = run("model", "try", "tone.skops", "p.png", "--json")
    assert said.code == 1
    assert [entry["code"] for entry in json.loads(said.out)] == ["image_too_large"]
    assert json.loads(run("predict", "p.png", "--model", "tone.skops", "--json").out)[0]["code"] == "image_too_large"
    (home / "data" / "dark").mkdir(parents=True)
    picture.rename(home / "data" / "dark" / "p.png")
    checked = json.loads(run("model", "check", "tone.skops", "data", "--json").out)
    assert [entry["code"] for entry in checked["failed"]] == ["image_too_large"]


def test_the_formats_of_the_folder_are_those_that_are_tried(run: Run, home: Path, model: Path, picture: Path) -> None:
    with Image.open(picture) as opened:
        opened.save(home / "p.gif")
    assert try_json(run, "tone.skops", "p.gif")["code"] == "unsupported_image"
    (home / ".env").write_text("CVSERVE_FORMATS=GIF\n")
    assert try_json(run, "tone.skops", "p.gif")["label"] == "dark"
    assert try_json(run, "tone.skops", "p.png")["code"] == "unsupported_image"


@pytest.mark.parametrize("named", ["tone.skops", "./tone.skops"])
def test_the_config_that_is_served_with_a_model_is_the_one_that_is_tried(
    run: Run, home: Path, model: Path, picture: Path, named: str
) -> None:
    (home / ".env").write_text("MODEL_PATH=tone.skops\nCVSERVE_MODEL_CONFIG=night.toml\n")
    (home / "night.toml").write_text('name = "night"\n[input]\ninvert = true\n')
    tried = try_json(run, named, "p.png")
    assert (tried["label"], tried["model"]["name"]) == ("light", "night")  # type: ignore[index]
    assert tried["seen"]["max"] == pytest.approx((255 - 40) / 255)  # type: ignore[index]
    found = json.loads(run("model", "inspect", named, "--json").out)
    assert found["properties"]["input.invert"] == {"value": True, "from": "model.toml"}
    answered = json.loads(run("predict", "p.png", "--no-history", "--json").out)[0]
    assert (answered["label"], answered["score"]) == (tried["label"], tried["score"])


def test_the_config_of_the_folders_model_is_not_that_of_another_one(home: Path, model: Path, picture: Path) -> None:
    (home / ".env").write_text("MODEL_PATH=tone.skops\nCVSERVE_MODEL_CONFIG=night.toml\n")
    (home / "night.toml").write_text('name = "night"\n[input]\ninvert = true\n')
    (home / "other.skops").write_bytes(model.read_bytes())
    for command in (
        ("model", "try", "other.skops", "p.png", "--json"),
        ("predict", "p.png", "--model", "other.skops", "--json"),
    ):
        said = cvserve(*command)
        assert json.loads(said.out)[0]["label"] == "dark"
        assert "warning: model_config (CVSERVE_MODEL_CONFIG in .env) is for the model" in said.err
    said = cvserve("model", "try", "other.skops", "p.png", "--model-config", "night.toml", "--json")
    assert json.loads(said.out)[0]["label"] == "light"
    assert "warning" not in said.err
    assert json.loads(cvserve("model", "inspect", "builtin", "--json").out)["format"] == "builtin"


def test_flags_win_over_the_folder(run: Run, home: Path, model: Path, picture: Path) -> None:
    (home / "cvserve.toml").write_text('top_k = 1\ncompile = "require"\n')
    assert len(try_json(run, "tone.skops", "p.png", "--compile", "never")["top"]) == 1  # type: ignore[arg-type]
    assert len(try_json(run, "tone.skops", "p.png", "--compile", "never", "--top-k", "2")["top"]) == 2  # type: ignore[arg-type]


@pytest.mark.parametrize("command", [("inspect",), ("try", "p.png"), ("check", "data")])
def test_a_mistake_in_the_settings_is_said(run: Run, home: Path, model: Path, command: tuple[str, ...]) -> None:
    (home / "cvserve.toml").write_text("max_pixel = 1\n")
    said = run("model", command[0], "tone.skops", *command[1:])
    assert (said.code, said.out) == (2, "")
    assert "max_pixel" in said.err
