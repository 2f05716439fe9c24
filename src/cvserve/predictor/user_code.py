"""Mistakes in the code of a model, told by the place in that code and not by ours."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from cvserve.errors import CvserveError, ModelLoadError
from cvserve.texts import to_one_line

_OURS = str(Path(__file__).parents[1])
_MAX_TEXT_CHARACTERS = 500
_EXTRAS = ("torch",)


@contextmanager
def blamed(title: str, step: str, folder: Path) -> Iterator[None]:
    """Turn whatever the model's code raises into one sentence with its file and line.

    Args:
        title: whose code it is, e.g. `MaskModel in my_model.py`.
        step: what it was doing, e.g. `setup`.
        folder: of that code; a line there is more telling than one in a library that it called.

    Raises:
        ModelLoadError: the sentence.
    """
    try:
        yield
    except CvserveError:
        raise
    except (Exception, SystemExit) as error:
        hint = ""
        if isinstance(error, ModuleNotFoundError) and error.name in _EXTRAS:
            hint = f"; run: pip install 'cvserve[{error.name}]'"
        raise ModelLoadError(f"{title} failed in {step}: {told(error, folder)}{hint}") from None


def told(error: BaseException, folder: Path) -> str:
    """File, line and text of an error: `my_model.py, line 7: ValueError: no weights`.

    Args:
        error: as it was raised.
        folder: as for `blamed`; a file in it is named without the folder.
    """
    text = to_one_line(str(error), _MAX_TEXT_CHARACTERS)
    if isinstance(error, SyntaxError) and error.filename is not None:
        return f"{_named(error.filename, folder)}, line {error.lineno}: {type(error).__name__}: {error.msg}"
    frames = traceback.extract_tb(without_ours(error.__traceback__))
    own = [frame for frame in frames if _is_own(Path(frame.filename), folder)]
    theirs = own or [frame for frame in frames if not frame.filename.startswith((_OURS, "<frozen"))]
    place = f"{_named(theirs[-1].filename, folder)}, line {theirs[-1].lineno}: " if theirs else ""
    return f"{place}{type(error).__name__}{f': {text}' if text else ''}"


def without_ours(trace: TracebackType | None) -> TracebackType | None:
    """A traceback that begins where the model's code begins; unchanged when there is none of it."""
    first = trace
    while first is not None and first.tb_frame.f_code.co_filename.startswith(_OURS):
        first = first.tb_next
    return first or trace


def _is_own(path: Path, folder: Path) -> bool:
    # A folder often has its environment inside.
    return path.is_relative_to(folder.absolute()) and "site-packages" not in path.parts


def _named(file: str, folder: Path) -> str:
    path = Path(file)
    return str(path.relative_to(folder.absolute())) if path.is_relative_to(folder.absolute()) else file
