"""The names of the classes in a file of their own: one a line, with or without their numbers, or JSON."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from cvserve.predictor.models.config.keys import check_labels
from cvserve.predictor.models.fault import ModelFault

# `0: cat`, `0 cat`, `0, cat`, `0<tab>cat`
_NUMBERED = re.compile(r"([0-9]{1,6})(?:\s*[:,=]\s*|\s+)(\S.*)")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,5}")
_WAYS = 'write a list, ["cat", "dog"], or each class\'s number with its name, {"0": "cat", "1": "dog"}.'


def parse_labels(name: str | PurePath, text: str) -> tuple[str, ...]:
    """Read the labels in the text of a file.

    Args:
        name: of the file; JSON is told by `.json`.
        text: a label a line, in the order of the classes, or each with its number before it (`0: cat`); of JSON a
            list of names, or an object from numbers to names or from names to numbers.

    Raises:
        ModelFault: there are none, one is missing, or one is no text; to be used in `about(…)`.
    """
    if PurePath(name).suffix.lower() == ".json":
        return check_labels("labels", _order(_parse_json(text)))
    lines = [line.strip() for line in text.rstrip().splitlines()]
    if not lines:
        raise ModelFault("has no labels; write one a line, in the order of the classes, or remove it.")
    return check_labels("labels", _without_numbers(lines))


def _without_numbers(lines: list[str]) -> list[str]:
    """The names alone where each line has the number of its class; else the lines, whose numbers are part of names.

    That the numbers are those from 0 on, and that no two names are the same without them ("0 stars", "1 stars"), tells
    the two apart.
    """
    found = [_NUMBERED.fullmatch(line) for line in lines]
    named = {int(match[1]): match[2] for match in found if match is not None}
    is_numbered = len(lines) > 1 and sorted(named) == list(range(len(lines)))
    if not is_numbered or len(set(named.values())) < len(named):
        return lines
    return [named[index] for index in range(len(named))]


def _parse_json(text: str) -> Any:
    def check_keys(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) < len(pairs):
            raise ModelFault(f"says {_find_twice(key for key, _ in pairs)!r} twice; keep one of the two.")
        return members

    try:
        return json.loads(text, object_pairs_hook=check_keys)
    except json.JSONDecodeError as error:
        raise ModelFault(f"is not valid JSON in line {error.lineno}; {_WAYS}") from None
    except (ValueError, RecursionError):
        raise ModelFault(f"is not valid JSON; {_WAYS}") from None


def _order(found: Any) -> list[Any]:
    """The names by the numbers of their classes."""
    if isinstance(found, list):
        return found
    if not isinstance(found, Mapping) or not found:
        raise ModelFault(f"has no labels; {_WAYS}")
    if all(_NUMBER.fullmatch(key) for key in found):
        named = {int(key): name for key, name in found.items()}
    elif all(type(number) is int for number in found.values()):
        named = {number: name for name, number in found.items()}
        if len(named) < len(found):
            twice = _find_twice(found.values())
            raise ModelFault(f"gives the number {twice} to two classes; give each class a number of its own.")
    else:
        raise ModelFault(f"is an object in which neither the keys nor the values are the numbers of classes; {_WAYS}")
    missing = next((index for index in range(len(named)) if index not in named), None)
    if missing is not None:
        raise ModelFault(
            f"has {len(named)} labels and none for class {missing}; number the classes from 0 to {len(named) - 1}."
        )
    return [named[index] for index in range(len(named))]


def _find_twice(values: Iterable[Any]) -> Any:
    """The first value that is there more than once."""
    return next(value for value, count in Counter(values).items() if count > 1)
