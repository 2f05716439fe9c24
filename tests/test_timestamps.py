"""The one way in which points in time are written."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest

from cvserve.timestamps import format_timestamp


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 11, 23, 1, 2, 3, 456_999, UTC), "2026-11-23T01:02:03.456Z"),
        (datetime(2026, 11, 23, tzinfo=UTC), "2026-11-23T00:00:00.000Z"),
        (datetime(2026, 11, 23, 1, 30, tzinfo=timezone(timedelta(hours=2))), "2026-11-22T23:30:00.000Z"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00.000Z"),
    ],
)
def test_a_moment_is_written_in_utc_with_milliseconds(moment: datetime, text: str) -> None:
    assert format_timestamp(moment) == text


def test_now_is_between_what_the_clock_says_before_and_after() -> None:
    before = format_timestamp(datetime.now(UTC))
    now = format_timestamp()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", now)
    assert before <= now <= format_timestamp(datetime.now(UTC))
