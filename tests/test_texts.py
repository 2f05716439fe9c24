"""Texts in messages."""

import pytest

from cvserve.texts import (
    did_you_mean,
    drop_unprintable,
    escape_unprintable,
    list_some,
    replace_unprintable,
    to_ascii,
    to_one_line,
)


@pytest.mark.parametrize(
    ("text", "replaced", "escaped"),
    [
        ("", "", ""),
        ("Zähler 7 \\", "Zähler 7 \\", "Zähler 7 \\"),
        ("a\x1b[2Jé", "a�[2Jé", "a\\x1b[2Jé"),
        ("a\nb\u2028", "a�b�", "a\\nb\\u2028"),
        ("\u202egpj.exe", "�gpj.exe", "\\u202egpj.exe"),
        ("\ud800", "�", "\\ud800"),
    ],
)
def test_what_cannot_be_shown_is_replaced_or_escaped(text: str, replaced: str, escaped: str) -> None:
    assert replace_unprintable(text) == replaced
    assert escape_unprintable(text) == escaped


def test_a_quoted_text_is_short_and_without_what_is_forbidden() -> None:
    assert drop_unprintable("ab\x1bcdef", 5) == "abcd"
    assert drop_unprintable("<b>'x'</b>", 60, forbidden="<>'") == "bx/b"


def test_letters_that_look_alike_differ_in_ascii() -> None:
    assert to_ascii("p\u0430y.load") == "p\\u0430y.load"
    assert to_ascii("pay.load") == "pay.load"


def test_a_text_of_several_lines_becomes_one() -> None:
    assert to_one_line("  a\n\n  b\tc ", 3) == "a b"


@pytest.mark.parametrize(
    ("items", "text"),
    [([], ""), (["a"], "a"), (["a", "b"], "a, b"), (["a", "b", "c"], "a, b and 1 more"), ("abcd", "a, b and 2 more")],
)
def test_a_long_list_is_cut_with_the_number_of_the_rest(items: list[str], text: str) -> None:
    assert list_some(items, 2) == text


def test_a_mistyped_word_is_asked_about() -> None:
    assert did_you_mean("limt", ("after", "limit")) == "did you mean 'limit'?"
    assert did_you_mean("sise", ("size", "mode"), {"size": "input.size"}) == "did you mean 'input.size'?"
    assert did_you_mean("banana", ("after", "limit")) == ""
