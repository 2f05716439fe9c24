"""Frames: what goes in on one side comes out on the other, and what is no frame is said to be none."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cvserve.engine.frames import LENGTH, BrokenFrame, pack_outcomes, pack_tasks, read_tasks, unpack_outcomes
from cvserve.engine.task import Outcome, Task
from cvserve.errors import CvserveError, InvalidImage, ModelError
from support.every_error import every_error
from support.predictions import prediction


def cross(*outcomes: Outcome) -> list[Any]:
    """Outcomes as the front gets them from a worker process."""
    frame = pack_outcomes(outcomes)
    (size,) = LENGTH.unpack(frame[: LENGTH.size])
    assert len(frame) == LENGTH.size + size
    return unpack_outcomes(frame[LENGTH.size :], prediction().model)


def make_circular() -> list[Any]:
    """A list that holds itself."""
    circular: list[Any] = []
    circular.append(circular)
    return circular


def test_tasks_come_out_as_they_went_in() -> None:
    batch = [Task(b"one picture", 5), Task(b"", 1), Task(b"another", 1_000)]
    assert read_tasks(io.BytesIO(b"".join(pack_tasks(batch))).read) == batch


def test_prediction_comes_out_as_it_went_in_but_for_the_picture_itself() -> None:
    made = prediction(warning="Ünlikely: \u2028 not a digit", label="vi\u00e8r\ud800")
    assert cross(made, made) == [made, made]
    assert cross(replace(made, source=b"the picture"))[0].source is None


@pytest.mark.parametrize("error", every_error(), ids=lambda error: type(error).__name__)
def test_error_of_each_class_comes_out_as_it_went_in(error: CvserveError) -> None:
    (found,) = cross(error)
    assert type(found) is type(error)
    assert (str(found), found.detail, vars(found)) == (str(error), error.detail, vars(error))
    assert found.__cause__ is None


def test_error_of_a_users_own_class_comes_out_as_the_nearest_of_ours() -> None:
    class TooBlurred(InvalidImage):
        def __init__(self) -> None:
            super().__init__("This picture is too blurred.")

    (found,) = cross(TooBlurred())
    assert type(found) is InvalidImage
    assert str(found) == "This picture is too blurred."


def test_cause_of_an_error_comes_out_as_its_traceback() -> None:
    error = ModelError("The model failed.")
    error.__cause__ = RuntimeError("what the library says")
    (found,) = cross(error)
    assert "RuntimeError: what the library says" in str(found.__cause__)


def test_attribute_that_json_cannot_say_is_left_behind_and_the_error_comes_out() -> None:
    error = InvalidImage("Damaged.")
    known = {"text": "ü\ud800", "count": 3, "share": 0.5, "is_cut": True, "nothing": None}
    vars(error).update(known, data=b"\xff", path=Path("a"), array=np.zeros(2), circular=make_circular(), _hidden=1)
    (found,) = cross(error)
    assert type(found) is InvalidImage
    assert vars(found) == known


@pytest.mark.parametrize(
    ("part", "reason"),
    [(b"bytes", "TypeError"), (object(), "TypeError"), ({1, 2}, "TypeError"), (make_circular(), "RecursionError")],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_answer_that_cannot_be_sent_is_the_models_error_and_not_its_neighbours(part: Any, reason: str) -> None:
    outcomes = cross(prediction(), prediction(warning=part), InvalidImage("Damaged."))
    assert [type(outcome).__name__ for outcome in outcomes] == ["Prediction", "ModelError", "InvalidImage"]
    assert reason in str(outcomes[1].__cause__)


@pytest.mark.parametrize(
    "body",
    [
        b"nope",
        b"\xff",
        b"3",
        b"[3]",
        b"[{}]",
        b"[[]]",
        b'[["InvalidImage"]]',
        b'[["NoSuchError","text",{},null]]',
        b'[["InvalidImage","text",3,null]]',
        b'[["",[[0,"4",1.0]],["PNG"],null,{}]]',
        b'[["",[],[1,1,"PNG",1,"00"],null,{"decode":1,"infer":1}]]',
        b"[" * 100_000,
    ],
)
def test_bytes_that_are_no_frame_are_refused(body: bytes) -> None:
    with pytest.raises(BrokenFrame):
        unpack_outcomes(body, prediction().model)
