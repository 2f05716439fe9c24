"""From text to values: what is taken, and that nothing else is."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cvserve import values


@pytest.mark.parametrize("text", ["", "-1", "１", "٣", "1_0", " 1", "1 ", "1.0", "1e3", "9" * 25, "+1", "0x1", "nan"])
def test_a_whole_number_is_digits_in_range(text: str) -> None:
    with pytest.raises(ValueError, match="whole number from 0 to 10"):
        values.whole(0, 10)(text)


def test_whole_numbers_reach_their_ends() -> None:
    parse = values.whole(-2, 10)
    assert [parse(text) for text in ("-2", "0", "10")] == [-2, 0, 10]


@pytest.mark.parametrize("text", ["", ".", "-", "nan", "inf", "1.1", "-0.1", "１", "1e0", "0" * 40, "0x1", " 0.5"])
def test_a_number_is_plain_digits_in_range(text: str) -> None:
    with pytest.raises(ValueError, match="number from 0 to 1"):
        values.number(0, 1)(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [("1", 1), ("20MiB", 20 * 2**20), ("20MB", 20_000_000), ("1.5k", 1500), ("1 GiB", 2**30), ("5kb", 5000)],
)
def test_sizes(text: str, size: int) -> None:
    assert values.size_bytes(text) == size


@pytest.mark.parametrize("text", ["", "0", "-1", "x", "1TB", "１MB", "9" * 400, "1e9", "0.1", "99999999GiB", "MiB"])
def test_no_sizes(text: str) -> None:
    with pytest.raises(ValueError, match="20MiB"):
        values.size_bytes(text)


@pytest.mark.parametrize(
    ("text", "span"), [("30", 30), ("30s", 30), ("1.5m", 90), ("500ms", 0.5), ("2h", 7200), ("90d", 7_776_000)]
)
def test_spans(text: str, span: float) -> None:
    assert values.seconds(text) == span


@pytest.mark.parametrize("text", ["", "0", "-1", "soon", "９d", "9" * 400, "1y", "nan", "inf", "101w1d", "40000d"])
def test_no_spans(text: str) -> None:
    with pytest.raises(ValueError, match="30s"):
        values.seconds(text)


def test_moments() -> None:
    assert values.moment("2026-11-23") == datetime(2026, 11, 23, tzinfo=UTC)
    assert values.moment("2026-11-23T01:00:00+02:00") == datetime(2026, 11, 22, 23, tzinfo=UTC)
    assert values.moment("2026-11-23T01:00:00Z") == datetime(2026, 11, 23, 1, tzinfo=UTC)
    assert abs(datetime.now(UTC) - timedelta(days=7) - values.moment("7d")) < timedelta(minutes=1)


@pytest.mark.parametrize("text", ["", "yesterday", "2026", "2026-13-01", "0001-01-01T00:00+23:00", "9" * 30 + "d"])
def test_no_moments(text: str) -> None:
    with pytest.raises(ValueError, match="2026-11-23"):
        values.moment(text)


@pytest.mark.parametrize(
    ("text", "on"), [("1", True), ("TRUE", True), ("yes", True), ("on", True), ("0", False), ("off", False)]
)
def test_switches(text: str, on: bool) -> None:
    assert values.boolean(text) is on


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (values.boolean, "maybe"),
        (values.path, ""),
        (values.path, "a\0b"),
        (values.path, "~nobody-of-that-name/x"),
        (values.model, ""),
        (values.model, "~nobody-of-that-name/x"),
        (values.host, ""),
        (values.host, "a b"),
        (values.sha256, "ab"),
        (values.sha256, "g" * 64),
        (values.token, ""),
        (values.token, "a b"),
        (values.token, "ä"),
        (values.token, "x" * 257),
        (values.root_path, "models"),
        (values.root_path, "/a b"),
        (values.image_formats, ""),
        (values.image_formats, "EPS"),
        (values.one_of("a", "b"), "c"),
        *[
            (values.rate, text)
            for text in ("", "50", "0/s", "50/d", "-1/s", "1.5/s", "50/", "/s", "１/s", "9999999999/s")
        ],
    ],
)
def test_what_cannot_be_used_is_refused_with_the_way_out(parse: Callable[..., Any], text: str) -> None:
    with pytest.raises(ValueError, match="give"):
        parse(text)


def test_rates_are_read_as_they_are_written() -> None:
    assert [str(values.rate(text)) for text in ("50/s", " 100 / M ", "5000/h")] == ["50/s", "100/m", "5000/h"]
    assert values.rate("100/m").seconds == 60


def test_lists_are_separated_by_commas() -> None:
    assert values.texts(" a , b,,") == ("a", "b")
    assert values.image_formats("jpg,png") == ("JPEG", "PNG")


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("127.0.0.9", True),
        ("::1", True),
        ("[::1]", True),
        ("0.0.0.0", False),
        ("example.org", False),
    ],
)
def test_loopback(host: str, loopback: bool) -> None:
    assert values.is_loopback(host) is loopback
