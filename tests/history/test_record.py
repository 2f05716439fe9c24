"""A `Prediction` becomes a row: nothing is lost, and what a stranger calls a picture is only a note."""

import pytest

from cvserve.history.record import clean_file_name, to_row
from cvserve.predictor.images.info import ImageInfo
from cvserve.predictor.prediction import ModelInfo
from support.predictions import prediction


def test_names_are_cleaned() -> None:
    row = to_row(prediction("x"), "cli", file_name="../a/b\\c\x1b[2J.jpg")
    assert row.values["file_name"] == "c\ufffd[2J.jpg"


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("/etc/passwd", "passwd"),
        ("C:\\photos\\a.jpg", "a.jpg"),
        ("folder/", "folder"),
        ("ä" * 300, "ä" * 127),
        ("\ud800.jpg", "\ufffd.jpg"),
        ("a\r\nb", "a\ufffd\ufffdb"),
    ],
)
def test_file_names_are_a_last_part_of_at_most_255_bytes(name: str, clean: str) -> None:
    assert clean_file_name(name) == clean


def test_what_a_picture_lacks_is_null_in_the_row() -> None:
    made = prediction(image=ImageInfo(1, 1, "ARRAY"), model="m")
    row = to_row(made, "notebook")
    assert [row.values[name] for name in ("image_sha256", "image_bytes", "file_name")] == [None, None, None]
    assert row.model.version == ModelInfo("m", "ab" * 32, "x").version
