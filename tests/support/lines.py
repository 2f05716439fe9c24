"""Reading lines of output.log in its text form."""

import re
from typing import NamedTuple

_LINE = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) \| (?P<client>\S+) \| (?P<who>[^|]+) \| (?P<method>\S+)"
    r" (?P<path>\S+) \| (?P<status>\d{3}) \| (?P<duration_ms>[\d.]+)ms \| (?P<bytes_in>\d+)B in"
    r" \| (?P<bytes_out>\d+)B out \| (?P<prediction>-|id=[\d,]+) \| req=(?P<request_id>[A-Za-z0-9._-]{1,128})"
)


class Line(NamedTuple):
    """One line, its fields as texts in their order."""

    time: str
    client: str
    who: str
    method: str
    path: str
    status: str
    duration_ms: str
    bytes_in: str
    bytes_out: str
    prediction: str
    request_id: str


def parsed(text: str) -> Line:
    """The fields of a line; it must be one, from its first character to its last."""
    match = _LINE.fullmatch(text)
    assert match, f"not a line of ours: {text!r}"
    return Line(**match.groupdict())
