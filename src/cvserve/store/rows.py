"""The rows of `predictions` on their way in, what they name, and what the database adds to them."""

from dataclasses import dataclass
from typing import Any, NamedTuple


class ModelKey(NamedTuple):
    """What identifies a row of `models`.

    Attributes:
        name: from `model.toml`, else the file's stem.
        sha256: hash of the model file, 64 hex digits.
        version: the first 12 of them.
        format: `builtin`, `sklearn`, …
    """

    name: str
    sha256: str
    version: str
    format: str


@dataclass(slots=True)
class NewRow:
    """One prediction on its way into the database.

    Attributes:
        model: which model answered; its id is looked up in the transaction.
        values: by name what goes into each column of `columns.GIVEN`, None where nothing is known.
    """

    model: ModelKey
    values: dict[str, Any]


class Stored(NamedTuple):
    """What the database adds to a row.

    Attributes:
        id: from 1, never used twice.
        created_at: UTC, `2026-11-23T01:02:03.456Z`.
    """

    id: int
    created_at: str
