"""What changes the scores and was neither said nor read from the file is called a guess, and nothing else is."""

from pathlib import Path

import pytest

from cvserve.errors import ModelLoadError
from support.models import load_model
from support.onnx_models import linear
from support.own_models import PLAIN

ALL = "resize resample scale mean std"


def guessed(folder: Path, shape: tuple[str | int, ...], toml: str, dtype: str = "float32") -> str:
    path = folder / "m.onnx"
    path.write_bytes(linear(shape, dtype=dtype).SerializeToString())
    path.with_suffix(".toml").write_text(f"[input]\n{toml}\n")
    return " ".join(load_model(path).guessed)


@pytest.mark.parametrize(
    ("shape", "toml", "expected"),
    [
        (("N", 3, 6, 4), "", f"mode {ALL}"),
        (("N", 1, 6, 4), "", "resize resample invert scale mean std"),
        (("N", 192), "", f"size mode {ALL}"),
        (("N", 64), "", "size resize resample invert scale mean std"),
        (("N", 144), "", "size mode resize resample invert scale mean std"),
        (("N", 144), "size = [12, 12]", "resize resample invert scale mean std"),
        (("N", 144), "size = [6, 8]", f"mode {ALL}"),
        (("N", 3, 6, 4), 'mode = "BGR"', ALL),
        (("N", 3, 6, 4), 'mode = "RGB"\nscale = 1', "resize resample mean std"),
        (("N", 3, 6, 4), 'mode = "RGB"\nscale = 1\nmean = 127\nstd = 64', "resize resample"),
        (("N", 3, 6, 4), 'mode = "RGB"\nresize = "exact"', "scale mean std"),
        (("N", 3, 6, 4), 'mode = "RGB"\nresize = "crop"', "crop_ratio resample scale mean std"),
        (("N", 3, 6, 4), 'mode = "RGB"\nresize = "crop"\ncrop_ratio = 0.875', "resample scale mean std"),
    ],
    ids=str,
)
def test_a_graph_says_shapes_and_no_more(
    tmp_path: Path, shape: tuple[str | int, ...], toml: str, expected: str
) -> None:
    assert guessed(tmp_path, shape, toml) == expected


def test_whole_numbers_leave_nothing_of_their_values_open(tmp_path: Path) -> None:
    assert guessed(tmp_path, ("N", 6, 4, 3), "", dtype="uint8") == "mode resize resample"


def test_a_class_says_nothing_of_its_pictures(tmp_path: Path) -> None:
    (tmp_path / "guess_model.py").write_text(PLAIN)
    (tmp_path / "guess_model.toml").write_text("[input]\nsize = [4, 4]\n")
    assert " ".join(load_model(f"{tmp_path / 'guess_model.py'}:Plain").guessed) == f"mode {ALL}"


RIGHT = {
    "mode": '"BGR"',
    "resize": '"crop"',
    "crop_ratio": "0.875",
    "resample": '"bicubic"',
    "scale": "1",
    "mean": "[103.5, 116.3, 123.7]",
    "std": "[57.4, 57.1, 58.4]",
}


@pytest.mark.parametrize("key", RIGHT)
def test_a_value_that_is_left_out_is_called_guessed_or_refused(tmp_path: Path, key: str) -> None:
    said = {name: value for name, value in RIGHT.items() if name != key}
    if key == "resize":
        del said["crop_ratio"]  # which is refused without it
    toml = "\n".join(f"{name} = {value}" for name, value in said.items())
    if key == "scale":  # the other numbers say that 1/255 is wrong
        with pytest.raises(ModelLoadError, match="write scale = 1, or mean = "):
            guessed(tmp_path, ("N", 3, 6, 4), toml)
    else:
        assert key in guessed(tmp_path, ("N", 3, 6, 4), toml).split()
