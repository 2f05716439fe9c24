"""Points in time as the history, the access log and answers write them: UTC, ISO 8601, milliseconds."""

import time
from datetime import UTC, datetime
from functools import lru_cache


def format_timestamp(moment: datetime | None = None) -> str:
    """Write a point in time as text, such as `2026-11-23T01:02:03.456Z`; such texts sort as their times do.

    Args:
        moment: with its zone; default: now, which is asked of every request and takes less than a microsecond.
    """
    if moment is None:
        second, millisecond = divmod(time.time_ns() // 1_000_000, 1_000)
        return f"{_format_second(second)}.{millisecond:03d}Z"
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


@lru_cache(maxsize=1)  # many requests ask in the same second
def _format_second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).replace(tzinfo=None).isoformat(timespec="seconds")
