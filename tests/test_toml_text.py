"""No text takes long to be read, or ends in anything but a sentence."""

import resource
from typing import Any

import pytest

from cvserve.toml_text import NotToml, parse_toml

LONG = (
    "a." * 20_000 + "b",
    "a . " * 20_000 + "b",
    '"a".' * 20_000 + "b",
    r'"\"".' * 20_000 + "b",
    "'.'." * 20_000 + "b",
)


@pytest.mark.parametrize("key", LONG, ids=lambda key: key[:8])
@pytest.mark.parametrize("form", ["{} = 1", "[{}]", "[[{}]]", "x = {{ {} = 1 }}"])
def test_a_very_long_key_is_refused_before_it_takes_long(key: str, form: str) -> None:
    before_s = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    with pytest.raises(NotToml, match=r"a key has more than 64 parts \(at line 2\)"):
        parse_toml("\n" + form.format(key))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_utime - before_s < 1


@pytest.mark.parametrize(
    "text",
    ["a" * 2**19, '"' * 2**19, '\\"' * 2**18, "'" * 2**19, "a." * 2**17 + " " * 2**18, ("a." * 60 + "\n") * 4000],
    ids=lambda text: text[:4],
)
def test_what_is_no_toml_is_seen_as_fast(text: str) -> None:
    before_s = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    with pytest.raises(NotToml):
        parse_toml(text)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_utime - before_s < 1


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (".".join("a" * 60) + " = 1", None),
        ("x = [" + "1.5, " * 1000 + "]", {"x": [1.5] * 1000}),
        (f"x = {2**63 - 1}\ny = -{2**63}", {"x": 2**63 - 1, "y": -(2**63)}),
        ('x = "e. g. a\\"b.c"', {"x": 'e. g. a"b.c'}),
    ],
    ids=["60 parts", "numbers", "64 bits", "dots in a text"],
)
def test_what_people_write_is_read(text: str, wanted: dict[str, Any] | None) -> None:
    found = parse_toml(text)
    assert wanted is None or found == wanted


@pytest.mark.parametrize(("text", "line", "is_cut"), [("x = 1\ny = ?", 2, False), ("x = ", None, True)])
def test_the_place_of_a_fault_is_told(text: str, line: int | None, *, is_cut: bool) -> None:
    with pytest.raises(NotToml) as caught:
        parse_toml(text)
    assert (caught.value.line, caught.value.is_cut) == (line, is_cut)
