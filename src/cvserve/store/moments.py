"""From points in time to a range of ids, by bisection."""

from collections.abc import Callable
from typing import Any

ReadRows = Callable[[str, list[Any]], list[tuple[Any, ...]]]
# With more of them, to look at each takes longer than to read the rows.
_MAX_STEPS = 100


def find_id_range(read_rows: ReadRows, since: str | None, until: str | None, newest: int) -> tuple[int, int]:
    """Where the rows of a span of time can be; ids before the first or from the second on have other times.

    Times rise with ids, but for the places where the clock was set back by more than a moment. The range then covers
    all parts that may hold such rows: the query must compare times as well.

    Args:
        read_rows: runs a SELECT with its values.
        since: inclusive; None: from the beginning.
        until: exclusive; None: to the end.
        newest: the last id to look at.
    """
    steps = read_rows("SELECT first_id FROM clock_steps WHERE first_id BETWEEN 2 AND ? ORDER BY 1", [newest])
    if len(steps) > _MAX_STEPS:
        return 1, newest + 1
    starts = [1, *(int(row[0]) for row in steps)]
    ends = [*starts[1:], newest + 1]
    low, high = 1, newest + 1
    if since is not None:
        found = [_find_first_since(read_rows, since, *part) for part in zip(starts, ends, strict=True)]
        low = min((place for place, end in zip(found, ends, strict=True) if place < end), default=newest + 1)
    if until is not None:
        found = [_find_first_since(read_rows, until, *part) for part in zip(starts, ends, strict=True)]
        high = max((place for place, start in zip(found, starts, strict=True) if place > start), default=1)
    return low, high


def _find_first_since(read_rows: ReadRows, moment: str, low: int, high: int) -> int:
    """Id of the first row at or after `moment`, among ids from `low` to before `high`; `high` where there is none."""
    end = high
    while low < high:
        middle = (low + high) // 2
        row = read_rows(
            "SELECT id, created_at FROM predictions WHERE id >= ? AND id < ? ORDER BY id LIMIT 1", [middle, end]
        )
        if row and row[0][1] < moment:
            low = int(row[0][0]) + 1
        else:
            high = middle
    return low
