"""One list of members: whatever door an answer leaves by, it has them in the same order, and is the encoder's JSON."""

import json

import pytest

from cvserve.answer import MEMBERS, PREDICTED_MEMBERS, encode_json, encode_text, encode_top, order_members
from cvserve.commands.predict.views import Line
from cvserve.history.history import History
from cvserve.history.record import to_row
from cvserve.predictor.prediction import ClassScore
from cvserve.server.service import Recorded, list_times
from cvserve.store.rows import Stored
from support.predictions import prediction

STORED = Stored(7, "2026-11-23T01:02:03.456Z")


def test_the_members_are_those_of_the_contract() -> None:
    assert MEMBERS == ("id", "result", "label", "score", "top", "model", "created_at", "timing_ms", "warning")
    assert PREDICTED_MEMBERS == ("result", "label", "score", "top", "model", "timing_ms", "warning")


def test_every_door_has_all_members_in_one_order(home: object) -> None:
    made = prediction("say '4'", warning="no digit")
    row = to_row(made, "http")
    with History.open() as history:
        stored = history.add(made)
    assert tuple(made.to_dict()) == PREDICTED_MEMBERS
    assert tuple(Line("a.jpg", made, STORED).to_dict()) == ("file", *MEMBERS)
    assert tuple(Line("a.jpg", made).to_dict()) == ("file", *PREDICTED_MEMBERS)
    assert tuple(json.loads(Recorded(row, STORED, list_times(row, 1.25)).to_json())) == MEMBERS
    assert tuple(stored.to_dict()) == MEMBERS
    assert tuple(stored.to_full_dict())[: len(MEMBERS)] == MEMBERS
    # And the same values, so that no door says another thing.
    assert order_members(stored.to_dict() | STORED._asdict()) == order_members(made.to_dict() | STORED._asdict())


@pytest.mark.parametrize("label", ["4", 'say "4"\\', "\x00\n\x7f\u2028", "äöü 数", "{}%s{label}"])
@pytest.mark.parametrize("warning", [None, 'no "digit" {}%s'])
def test_the_fast_way_writes_what_the_encoder_would(label: str, warning: str | None) -> None:
    row = to_row(prediction(label, 1e-06, warning=warning), "http")
    text = Recorded(row, STORED, list_times(row, 1.25)).to_json()
    assert text == encode_json(json.loads(text))
    assert json.loads(text)["timing_ms"] == {"decode": 1.5, "infer": 0.5, "store": 1.25}


def test_warnings_do_not_crowd_labels_out_of_their_cache() -> None:
    Recorded(to_row(prediction("4"), "http"), STORED, []).to_json()
    kept = encode_text.cache_info().currsize
    for number in range(3):
        text = Recorded(to_row(prediction("4", warning=f"score {number}"), "http"), STORED, []).to_json()
        assert json.loads(text)["warning"] == f"score {number}"
    assert encode_text.cache_info().currsize == kept


@pytest.mark.parametrize("label", ["4", 'say "4"\\', "äöü 数"])
def test_the_fast_top_is_the_encoders_too(label: str) -> None:
    top = (ClassScore(0, label, 0.98), ClassScore(1, "x", 2.7e-05), ClassScore(2, "y", 0.0))
    assert encode_top(top) == encode_json([entry.to_dict() for entry in top])


@pytest.mark.parametrize("score", [float("nan"), float("inf"), float("-inf")])
def test_a_score_that_json_cannot_say_is_refused(score: float) -> None:
    with pytest.raises(ValueError, match="cannot be JSON"):
        encode_top([ClassScore(0, "x", 0.5), ClassScore(1, "y", score)])
