"""Rows on their way into the history, of a model that nobody has."""

from cvserve.store.rows import ModelKey, NewRow

MODEL = ModelKey("m", "0" * 64, "0" * 12, "x")


def row(**changes: object) -> NewRow:
    """One row, with what a test needs to be different."""
    made = NewRow(1, "x", 0.5, "[]", None, MODEL, 1.0, None, 1.0, "cli")
    for name, value in changes.items():
        setattr(made, name, value)
    return made
