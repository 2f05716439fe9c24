"""From what was typed to pictures: files, folders and `-` for stdin."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cvserve.errors import InvalidSetting
from cvserve.predictor.images.signatures import SUFFIXES

STDIN = "-"


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of the command line.

    Attributes:
        name: as it is shown.
        source: its path, or its bytes when it came through stdin.
    """

    name: str
    source: Path | bytes


def pictures(arguments: Sequence[str]) -> list[Picture]:
    """All pictures in order; a folder stands for the pictures in it and below.

    Raises:
        InvalidSetting: a folder without pictures, or stdin twice.
    """
    if arguments.count(STDIN) > 1:
        raise InvalidSetting("'-' is there twice; stdin holds one picture.")
    return [picture for argument in arguments for picture in _of(argument)]


def _of(argument: str) -> Iterator[Picture]:
    if argument == STDIN:
        yield Picture("stdin", sys.stdin.buffer.read())
        return
    path = Path(argument)
    if not path.is_dir():
        yield Picture(argument, path)
        return
    found = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
    if not found:
        raise InvalidSetting(f"The folder '{argument}' holds no pictures ({', '.join(SUFFIXES)}).")
    yield from (Picture(str(file), file) for file in found)
