"""Text in TOML, read so that no text takes long or ends in anything but a sentence.

The reader of Python takes a time that grows with the square of the parts of a key, and raises what int() and the stack
raise. The format: https://toml.io/en/v1.0.0, of whose whole numbers 64 bits are promised.
"""

import re
from typing import Any

_MOST_PARTS = 64
_PART = r"""(?:[A-Za-z0-9_-]++|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')"""
# It begins where a part can begin, so that a long text is not looked through again from each of its characters.
_LONG_KEY = re.compile(rf"(?<![A-Za-z0-9_\\-])(?:{_PART}[ \t]*+\.[ \t]*+){{{_MOST_PARTS}}}")
_LARGEST = 2**63


class NotToml(ValueError):
    """Raised for text that is not TOML, or not such as a person writes.

    Attributes:
        line: where the text is wrong, from 1; None where that is not known.
        is_cut: whether it ends too early.
    """

    def __init__(self, reason: str, line: int | None = None, *, is_cut: bool = False) -> None:
        super().__init__(reason)
        self.line, self.is_cut = line, is_cut


def parse_toml(text: str) -> dict[str, Any]:
    """The values of a text by key, tables as dictionaries.

    Args:
        text: of a size that its reader has checked; a megabyte takes a second or two.

    Raises:
        NotToml: it is not TOML, is nested deeper than Python's stack, has a key of more than 64 parts, or a whole
            number of more than 64 bits.
    """
    import tomllib  # most folders have no file of TOML

    if (long := _LONG_KEY.search(text)) is not None:
        line = text.count("\n", 0, long.start()) + 1
        raise NotToml(f"a key has more than {_MOST_PARTS} parts (at line {line})", line)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        text_of_line = str(error).rpartition("line ")[2].partition(",")[0]
        place = int(text_of_line) if text_of_line.isdecimal() else None
        raise NotToml(str(error), place, is_cut="end of document" in str(error)) from None
    except RecursionError:
        raise NotToml("it is nested too deeply") from None
    except ValueError:  # of int()
        raise NotToml("a whole number is too large") from None
    _check_numbers(document)
    return document


def _check_numbers(document: dict[str, Any]) -> None:
    """Refuse what Python would not even write as text: 0xfff… of any length."""
    todo: list[Any] = [document]
    while todo:
        value = todo.pop()
        if isinstance(value, dict):
            todo.extend(value.values())
        elif isinstance(value, list):
            todo.extend(value)
        elif isinstance(value, int) and not -_LARGEST <= value < _LARGEST:
            raise NotToml("a whole number is too large")
