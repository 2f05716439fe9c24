"""`Prediction`: plain numbers and texts."""

import dataclasses
import json

import pytest

from support.predictions import prediction


def test_to_dict_begins_with_result_and_is_json() -> None:
    said = prediction("4", 0.9).to_dict()
    assert list(said) == ["result", "label", "score", "top", "model", "timing_ms", "warning"]
    assert said["top"][0] == {"index": 4, "label": "4", "score": 0.9}
    assert said["model"] == {"name": "digits", "version": "ab" * 6}
    assert json.loads(json.dumps(said, allow_nan=False)) == said


def test_a_dict_is_a_copy() -> None:
    made = prediction()
    made.to_dict()["timing_ms"]["decode"] = 0
    assert made.timing_ms["decode"] == 1.5


def test_it_with_the_time_in_a_queue_is_another_one_that_differs_in_nothing_else() -> None:
    made = prediction(warning="Not a digit.", source=b"the picture")
    queued = made.with_queue_ms(2.5)
    assert queued.timing_ms == {"decode": 1.5, "infer": 0.5, "queue": 2.5}
    assert made.timing_ms == {"decode": 1.5, "infer": 0.5}
    for field in dataclasses.fields(made):
        if field.name != "timing_ms":
            assert getattr(queued, field.name) is getattr(made, field.name)


def test_it_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        prediction().label = "5"  # type: ignore[misc]
