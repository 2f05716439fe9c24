"""Texts in messages: a stranger's text made harmless, a long list cut short, a suggestion for a mistyped word."""

import difflib
from collections.abc import Iterable, Mapping

_REPLACEMENT = "\ufffd"


def replace_unprintable(text: str) -> str:
    """Make a text safe for a terminal or a page: one `�` for each character that cannot be shown.

    Control characters (which could move the cursor or clear the screen), characters that turn the direction of
    writing, and halves of surrogate pairs are such characters. The text keeps its length.
    """
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _REPLACEMENT for character in text)


def escape_unprintable(text: str) -> str:
    r"""Make a text safe for one line of a log: what cannot be shown becomes an escape, such as `\x1b` or `\u2028`.

    Unlike `replace_unprintable` this keeps what the character was.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def drop_unprintable(text: str, max_characters: int, forbidden: str = "") -> str:
    """Quote a client's text in an answer: its beginning, without what cannot be shown.

    Args:
        text: as it came.
        max_characters: how much of it is looked at.
        forbidden: further characters to leave out, e.g. those that mean something in HTML.
    """
    return "".join(
        character for character in text[:max_characters] if character.isprintable() and character not in forbidden
    )


def to_ascii(text: str) -> str:
    r"""Name what decides about trust: everything but ASCII becomes an escape, such as `\u0430`.

    A letter of another script that looks like a Latin one (а and a) cannot pass for it.
    """
    return ascii(text)[1:-1]


def to_one_line(text: str, max_characters: int) -> str:
    """The beginning of a text on one line: each run of blanks and line breaks becomes one blank."""
    return " ".join(text.split())[:max_characters]


def list_some(items: Iterable[str], max_items: int) -> str:
    """Join texts by commas; from the first too many on only their number is given: `a, b, c and 4 more`.

    Returns:
        "" when there are none.
    """
    listed = list(items)
    rest = len(listed) - max_items
    return ", ".join(listed[:max_items]) + (f" and {rest} more" if rest > 0 else "")


def did_you_mean(word: str, known: Iterable[str], names: Mapping[str, str] | None = None) -> str:
    """Ask about a mistyped word, e.g. `did you mean 'limit'?`, for the end of a message.

    Args:
        word: what was written.
        known: what could have been meant.
        names: what to call some of the known words, where that is not the word itself.

    Returns:
        "" when nothing that is known resembles the word.
    """
    for nearest in difflib.get_close_matches(word, known, n=1):
        return f"did you mean '{(names or {}).get(nearest, nearest)}'?"
    return ""


def format_value(value: object) -> str:
    """Write a setting's value as it could be typed behind its option."""
    if isinstance(value, (list, tuple)):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
