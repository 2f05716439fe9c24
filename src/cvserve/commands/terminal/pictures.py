"""From the arguments of a command to pictures: files, folders and `-` for stdin."""

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
        name: shown to people and written into the history: the argument, a path below it, or `stdin`.
        source: its path, or its bytes when it came through stdin.
    """

    name: str
    source: Path | bytes


def find_pictures(arguments: Sequence[str]) -> list[Picture]:
    """Find the pictures that the arguments name, in their order; a folder stands for all pictures in it and below.

    A file that is named itself need not look like a picture, nor be there: its error then stands in its answer.

    Raises:
        InvalidSetting: a folder without pictures, or stdin twice.
    """
    if arguments.count(STDIN) > 1:
        raise InvalidSetting("'-' is there twice; stdin holds one picture.")
    return [picture for argument in arguments for picture in _expand(argument)]


def _expand(argument: str) -> Iterator[Picture]:
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
