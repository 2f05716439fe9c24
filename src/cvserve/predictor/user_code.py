"""Errors in the code of a model, described by the line of that code in which they happened."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from cvserve.errors import ModelLoadError
from cvserve.predictor.models.fault import ModelFault
from cvserve.texts import to_one_line

_CVSERVE_FOLDER = str(Path(__file__).parents[1])
_MAX_TEXT_CHARACTERS = 500
_EXTRAS = ("torch",)


@contextmanager
def explain_errors(step: str, folder: Path) -> Iterator[None]:
    """Turn whatever the model's code raises while it is loaded into one sentence with its file and line.

    It may raise anything, also the classes of `cvserve.errors`; only a `ModelLoadError` passes as it is, since its
    sentence is what somebody wanted to say.

    Args:
        step: what the code is doing, e.g. `setup`.
        folder: of that code; a line there is more telling than one in a library that it called.

    Raises:
        ModelFault: the sentence: "failed in setup: my_model.py, line 7: ValueError: no weights".
    """
    try:
        yield
    except ModelLoadError:
        raise
    except (Exception, SystemExit) as error:
        raise ModelFault(f"failed in {step}: {describe_error(error, folder)}{_suggest_extra(error)}") from None


def describe_error(error: BaseException, folder: Path) -> str:
    """File, line and text of an error: `my_model.py, line 7: ValueError: no weights`.

    Args:
        error: as it was raised.
        folder: of the model's code; a file in it is named without the folder.
    """
    text = to_one_line(str(error), _MAX_TEXT_CHARACTERS)
    if isinstance(error, SyntaxError) and error.filename is not None:
        return f"{_shorten(error.filename, folder)}, line {error.lineno}: {type(error).__name__}: {error.msg}"
    frames = traceback.extract_tb(skip_our_frames(error.__traceback__))
    own = [frame for frame in frames if _is_in(Path(frame.filename), folder)]
    theirs = own or [frame for frame in frames if not frame.filename.startswith((_CVSERVE_FOLDER, "<frozen"))]
    place = f"{_shorten(theirs[-1].filename, folder)}, line {theirs[-1].lineno}: " if theirs else ""
    return f"{place}{type(error).__name__}{f': {text}' if text else ''}"


def skip_our_frames(trace: TracebackType | None) -> TracebackType | None:
    """The traceback from where the model's code begins; all of it when there is none of that code."""
    first = trace
    while first is not None and first.tb_frame.f_code.co_filename.startswith(_CVSERVE_FOLDER):
        first = first.tb_next
    return first or trace


def _suggest_extra(error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name in _EXTRAS:
        return f"; run: pip install 'cvserve[{error.name}]'"
    return ""


def _is_in(path: Path, folder: Path) -> bool:
    # A folder often has its environment inside.
    return path.is_relative_to(folder.absolute()) and "site-packages" not in path.parts


def _shorten(file: str, folder: Path) -> str:
    path = Path(file)
    return str(path.relative_to(folder.absolute())) if path.is_relative_to(folder.absolute()) else file
