"""Rows on their way into the history, of a model that nobody has."""

from cvserve.store.columns import GIVEN
from cvserve.store.rows import ModelKey, NewRow

MODEL = ModelKey("m", "0" * 64, "0" * 12, "x")


def row(model: ModelKey = MODEL, **changes: object) -> NewRow:
    """One row, with what a test needs to be different."""
    made: dict[str, object] = {"result": 1, "label": "x", "score": 0.5, "top": "[]", "decode_ms": 1.0, "infer_ms": 1.0}
    assert set(changes) <= set(GIVEN)
    return NewRow(model, dict.fromkeys(GIVEN) | made | {"source": "cli"} | changes)
